import type { Command } from 'commander';
import { printable } from '../base/bytes.js';
import type { ItemReport } from '../app/watch.js';
import type { LaminaError } from '../base/errors.js';
import { bytesOf, countOf, maxSizeHelp, secondsOf } from './arguments.js';
import { contextOf, pathOf } from './context.js';
import { setExitCode } from './exit-code.js';
import { shown } from './output.js';

interface WatchOptions {
  readonly once?: boolean;
  readonly shared?: boolean;
  readonly base?: string;
  readonly settle: string;
  readonly patience: string;
  readonly maxSize?: string;
}

export function addWatchCommand(program: Command): void {
  program
    .command('watch <dir>')
    .description('apply the update packages that arrive in a directory, one at a time')
    .option('--once', 'process what is there, then exit; exit code 1 if something failed')
    .option(
      '--shared',
      'accept an inbox that other users can write to: whoever puts a package there can change every container',
    )
    .option('--base <name>', 'the base for packages and scripts that do not name one')
    .option('--settle <seconds>', 'how long an item must be unchanged to count as complete', '2')
    .option('--patience <seconds>', 'how long to retry if a container is mounted or the store is in use', '600')
    .option('--max-size <size>', maxSizeHelp)
    .addHelpText(
      'after',
      '\nMove packages into the directory by rename. An empty file NAME.rollback rolls update NAME back. Processed items go to done/ or failed/, with a report.\n\nExamples:\n  lamina watch /var/spool/lamina\n  lamina watch ./inbox --once --base debian',
    )
    .action(async (directory: string, options: WatchOptions, command: Command) => {
      const { once = false, shared = false, base, settle, patience, maxSize } = options;
      const { output, store, signal } = contextOf(command);
      const { watchInbox } = await import('../app/watch.js');
      const settleMs = (secondsOf('settle', settle) ?? 2) * 1000;
      const patienceMs = (countOf('patience', patience) ?? 0) * 1000;
      const maxBytes = bytesOf('max-size', maxSize);
      const items: ItemReport[] = [];
      const onItem = (report: ItemReport) => {
        if (once) items.push(report);
        output.note(printable(itemText(report)));
      };
      const onWait = (item: string, { message }: LaminaError) => {
        output.note(printable(`${shown(item)}: waiting: ${message}; retrying for ${patience} s`));
      };
      const times = { settleMs, patienceMs };
      const inbox = pathOf(directory);
      const request = { inbox, base, once, shared, maxBytes, ...times, signal, onItem, onWait };
      const counts = await watchInbox(await store(...(shared ? [] : [inbox])), request);
      if (once && counts.failed > 0) setExitCode(1);
      output.result(once ? { ...counts, items } : counts, () => `${counts.done} done, ${counts.failed} failed`);
    });
}

function itemText({ item, outcome, update, error }: ItemReport): string {
  const name = update === null ? '' : `: update ${update.name} of base ${update.base}`;
  const why = error === null ? '' : `: ${error.message}${error.hint === null ? '' : `\n  ${error.hint}`}`;
  return `${shown(item)}: ${outcome}${name}${why}`;
}
