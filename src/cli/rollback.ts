import type { Command } from 'commander';
import { collect } from './arguments.js';
import { contextOf } from './context.js';
import { shown } from './output.js';

export function addRollbackCommand(program: Command): void {
  program
    .command('rollback <update>')
    .description('undo an update; what was written since is kept or put aside')
    .option('--container <name>', 'only in this container; may be repeated', collect)
    .option('--discard', 'drop what was written since')
    .addHelpText('after', '\nExamples:\n  lamina rollback openssl-fix\n  lamina rollback openssl-fix --container web')
    .action(async (name: string, options: { container?: string[]; discard?: boolean }, command: Command) => {
      const { output, store } = contextOf(command);
      const { rollback } = await import('../app/rollback.js');
      const data = await rollback(await store(), name, { containers: options.container, discard: options.discard });
      const lines = data.containers.flatMap(({ container, kept, aside, asidePath }) => [
        ...(kept ? [`container ${container}: what was written since is kept`] : []),
        ...(asidePath === null
          ? []
          : [`container ${container}: put aside under ${shown(asidePath)}: ${aside.map(shown).join(', ')}`]),
      ]);
      const staying = data.staying.map(
        (container) => `container ${container} was created on the update and stays on its layer`,
      );
      output.result(data, () => [`rolled back update ${name}`, ...lines, ...staying].join('\n'));
    });
}
