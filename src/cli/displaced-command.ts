import type { Command } from 'commander';
import type { DisplacedData } from '../app/displaced.js';
import { usage } from '../base/errors.js';
import { someOf } from '../base/some-of.js';
import { bytesText } from '../base/units.js';
import { collect } from './arguments.js';
import { contextOf, pathOf } from './context.js';
import { counted, shown, table } from './output.js';
import { escaped } from './remote/escaped.js';
import { restoreText } from './rollback-command.js';
import { withSteps } from './steps.js';

export function addDisplacedCommands(program: Command): void {
  const displaced = program
    .command('displaced')
    .description('what rollbacks could not keep in place: list, show, restore or drop it');
  addList(displaced);
  addShow(displaced);
  addRestore(displaced);
  addDrop(displaced);
}

function addList(displaced: Command): void {
  displaced
    .command('list')
    .description('list what rollbacks have displaced')
    .option('--container <name>', 'only in this container')
    .addHelpText('after', '\nExample:\n  lamina displaced list')
    .action(async (options: { container?: string }, command: Command) => {
      const { output, read } = contextOf(command);
      const { displaced: all } = await read({ path: '/displaced' }, async (store) => {
        const { displacedList } = await import('../app/displaced.js');
        return { displaced: await displacedList(store, options.container) };
      });
      const data = all.filter(({ container }) => options.container === undefined || container === options.container);
      output.result({ displaced: data }, () => displacedTable(data, 'nothing is displaced'));
    });
}

function displacedTable(data: readonly DisplacedData[], none: string): string {
  const rows = data.map(({ id, container, orphaned, update, bytes, created, paths }) => [
    id,
    orphaned ? `${container} (removed)` : container,
    update,
    bytesText(bytes),
    created,
    someOf(paths.map(shown)),
  ]);
  return table(['ID', 'CONTAINER', 'UPDATE', 'SIZE', 'SINCE', 'PATHS'], rows, none);
}

function addShow(displaced: Command): void {
  displaced
    .command('show <id>')
    .description('show what was displaced, with all below it')
    .addHelpText('after', '\nExample:\n  lamina displaced show a-0123456789abcdef')
    .action(async (id: string, _options: object, command: Command) => {
      const { output, store } = contextOf(command);
      const { displacedShow } = await import('../app/displaced.js');
      const data = await displacedShow(await store(), id);
      const rows = data.entries.map(({ path, type, bytes }) => [
        type === 'whiteout' ? 'removed' : type,
        type === 'file' ? bytesText(bytes) : '-',
        shown(path),
      ]);
      output.result(data, () =>
        [
          `displaced in container ${shown(data.container)} by the rollback of ${shown(data.update)}, ${data.created}`,
          table(['TYPE', 'SIZE', 'PATH'], rows, 'nothing'),
        ].join('\n'),
      );
    });
}

function addRestore(displaced: Command): void {
  displaced
    .command('restore <id> [path]')
    .description(
      'restore a displaced path to its container, or copy it out; the displaced copy stays until it is dropped',
    )
    .option('--to <dest>', 'copy it there instead')
    .option('--force', 'replace what is in the way in the container')
    .addHelpText(
      'after',
      '\nExamples:\n  lamina displaced restore a-0123456789abcdef /etc/app.conf\n  lamina displaced restore a-0123456789abcdef /etc/app.conf --to ./app.conf',
    )
    .action(
      async (id: string, path: string | undefined, options: { to?: string; force?: boolean }, command: Command) => {
        const { output, store, signal, act } = contextOf(command);
        if (options.to !== undefined && options.force === true)
          throw usage('--force replaces what is in the way in the container; with --to the destination must not exist');
        const force = options.force === true;
        const data = await withSteps('entries', async ({ onStep, onProgress }) =>
          act({ path: `/displaced/${escaped(id)}/restore`, body: { path, force }, onProgress }, async () => {
            const { displacedRestore } = await import('../app/displaced.js');
            const place = options.to === undefined ? {} : { to: pathOf(options.to) };
            return displacedRestore(await store(), id, { path, ...place, force, onStep, signal });
          }),
        );
        output.result(data, () => restoreText(data));
      },
    );
}

function addDrop(displaced: Command): void {
  displaced
    .command('drop [ids...]')
    .description('remove displaced content permanently')
    .option('--container <name>', 'all that was displaced in this container', collect)
    .option('--all', 'all that is displaced')
    .addHelpText(
      'after',
      '\nExamples:\n  lamina displaced drop a-0123456789abcdef\n  lamina displaced drop --container web',
    )
    .action(async (ids: string[], options: { container?: string[]; all?: boolean }, command: Command) => {
      const { output, store, signal, act } = contextOf(command);
      const [container, ...more] = options.container ?? [];
      const ways = [ids.length > 0, container !== undefined, options.all === true].filter(Boolean).length;
      if (ways !== 1 || more.length > 0)
        throw usage('say what to drop: ids, one --container, or --all', { hint: 'see lamina displaced list' });
      const request = { ids, container, all: options.all === true };
      const { dropped: data } = await withSteps('things', async ({ onStep, onProgress }) =>
        act({ path: '/displaced/drop', body: request, onProgress }, async () => {
          const { displacedDrop } = await import('../app/displaced.js');
          return { dropped: await displacedDrop(await store(), request, { onStep, signal }) };
        }),
      );
      const bytes = data.reduce((sum, each) => sum + each.bytes, 0);
      output.result({ dropped: data }, () =>
        data.length === 0
          ? 'nothing was displaced'
          : `${displacedTable(data, '')}\ndropped ${counted(data.length, 'thing')}, ${bytesText(bytes)}`,
      );
    });
}
