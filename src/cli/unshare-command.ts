import type { Command } from 'commander';
import { usage } from '../base/errors.js';
import { contextOf } from './context.js';

export function addUnshareCommand(program: Command): void {
  program
    .command('unshare [command...]')
    .usage('[options] [--] [command...]')
    .description(
      'run a command (or a shell) in the user namespace of a store with subordinate ids, which sees its mounts',
    )
    .addHelpText('after', unshareHelp)
    .action(async (words: string[], _options: object, command: Command) => {
      const { output, store } = contextOf(command);
      if (output.json)
        throw usage('--json does nothing with unshare, which prints what its command does', {
          hint: 'leave --json out',
        });
      const { unshare } = await import('../app/unshare.js');
      await unshare(await store(), words);
    });
}

const unshareHelp = `
The command is root in that namespace and sees the host's files. It can read, copy and remove what belongs to the
store's users.

Examples:
  lamina mount web ~/web; lamina unshare -- ls -l ~/web
  lamina unshare`;
