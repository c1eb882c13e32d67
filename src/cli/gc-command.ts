import type { Command } from 'commander';
import { bytesText } from '../base/units.js';
import { contextOf } from './context.js';
import { counted, table } from './output.js';
import { withSteps } from './steps.js';

export function addGcCommand(program: Command): void {
  program
    .command('gc')
    .description('remove what crashed commands left in the store and nothing refers to any more')
    .option('--dry-run', 'only list what would be removed')
    .addHelpText('after', '\nExample:\n  lamina gc --dry-run')
    .action(async (options: { dryRun?: boolean }, command: Command) => {
      const { output, store, signal, act } = contextOf(command);
      const dryRun = options.dryRun === true;
      const data = await withSteps('things', async ({ onStep, onProgress }) =>
        act({ path: '/gc', body: { dryRun }, onProgress }, async () => {
          const { gc } = await import('../app/gc.js');
          return gc(await store(), { dryRun, onStep, signal });
        }),
      );
      const rows = data.found.map(({ kind, bytes, path }) => [kind, bytesText(bytes), path]);
      const total = `${data.dryRun ? 'would remove' : 'removed'} ${counted(rows.length - data.left.length, 'thing')}, ${bytesText(data.bytes)}`;
      const { displaced, history } = data;
      const kept =
        displaced.count === 0
          ? ''
          : `\n${bytesText(displaced.bytes)} displaced by ${counted(displaced.count, 'rollback')} stay: see lamina displaced list`;
      const ended =
        history.count === 0
          ? ''
          : `\n${bytesText(history.bytes)} of ${counted(history.count, 'update')} that ended stay: see lamina update list --all`;
      const found =
        rows.length === 0 ? 'there is no garbage' : `${table(['KIND', 'SIZE', 'PATH'], rows, '')}\n${total}`;
      output.result(data, () => found + kept + ended);
    });
}
