import { Option } from 'commander';
import type { Command } from 'commander';
import type { GraphFormat } from '../app/graph.js';
import { usage } from '../base/errors.js';
import type { RecoverData } from '../app/recover.js';
import { contextOf } from './context.js';
import { addExplain, addLog } from './explain-command.js';
import { counted, shown, table } from './output.js';
import { escaped } from './remote/escaped.js';
import { changeLines } from './preview-text.js';
import { addProcesses } from './processes-command.js';
import { addStatusCommands } from './status-command.js';
import { refuseIdle } from './usage.js';

export function addInspectCommands(program: Command): void {
  addStatusCommands(program);
  addGraph(program);
  addDiff(program);
  addProcesses(program);
  addLog(program);
  addExplain(program);
  addRecover(program);
}

function addGraph(program: Command): void {
  program
    .command('graph')
    .description('draw the graph of layers and storages; with --json, its nodes and edges')
    .addOption(new Option('--format <format>', 'how').choices(['text', 'mermaid', 'dot']).default('text'))
    .option('--all', 'draw every container, also those that are alike')
    .addHelpText(
      'after',
      '\nExamples:\n  lamina graph\n  lamina graph --all\n  lamina graph --format dot | dot -Tsvg >graph.svg',
    )
    .action(async (options: { format: GraphFormat; all?: boolean }, command: Command) => {
      refuseIdle(command, [
        {
          option: 'all',
          unless: ({ format }) => format === 'text',
          because: 'except for text: other formats draw all',
        },
      ]);
      const { output, store, read, isRemote } = contextOf(command);
      if (output.json && options.all === true)
        throw usage('--all does nothing with --json, which gives the whole graph', { hint: 'leave it out' });
      if (output.json && command.getOptionValueSource('format') === 'cli')
        throw usage('--format does nothing with --json, which gives the graph as data', {
          hint: 'leave one of them out',
        });
      if (isRemote) {
        if (!output.json)
          throw usage('with --remote, graph gives the graph as data only', { hint: 'add --json, or open the page' });
        output.result(
          await read({ path: '/graph' }, async (at) => (await import('../app/served.js')).graphOf(at, undefined)),
          () => '',
        );
        return;
      }
      const { drawGraph, graphData } = await import('../app/graph.js');
      const manifest = await (await store()).read();
      output.result({ graph: graphData(manifest) }, () => drawGraph(manifest, options.format, options.all));
    });
}

function addDiff(program: Command): void {
  program
    .command('diff <a> [b]')
    .description(
      'list the differences between two containers, bases or nodes; given one, what it changes relative to what is below it',
    )
    .option('--path <path>', 'only this path, with the differences in the file')
    .addHelpText(
      'after',
      '\nExamples:\n  lamina diff web           what container web changed\n  lamina diff web db\n  lamina diff web --path /etc/app.conf',
    )
    .action(async (a: string, b: string | undefined, { path }: { path?: string }, command: Command) => {
      const { output, read, isRemote } = contextOf(command);
      if (isRemote && b !== undefined)
        throw usage('with --remote, diff takes one container, base or node', { hint: 'leave the second one out' });
      if (path !== undefined) {
        const where = `/nodes/${escaped(a)}/diff?path=${escaped(path)}`;
        const data = await read({ path: where }, async (store) =>
          (await import('../app/file-diff.js')).fileDiff(store, { a, b, path }),
        );
        output.result(data, () => (data.change === null ? 'no difference' : changeLines(data.change).join('\n')));
        return;
      }
      const { changes } = await read({ path: `/nodes/${escaped(a)}/changes?`, list: 'changes' }, async (store) => {
        const { diff } = await import('../app/inspect.js');
        return { changes: await diff(store, a, b) };
      });
      const signs: Record<string, string> = { add: 'A', modify: 'M', delete: 'D' };
      const rows = changes.map(({ path, change, type }) => [signs[change] ?? change, type, path]);
      output.result({ changes }, () => table(['', 'TYPE', 'PATH'], rows, 'no difference'));
    });
}

function addRecover(program: Command): void {
  program
    .command('recover')
    .description('clean up after crashed commands, and remove mounts whose driver is gone')
    .addHelpText('after', '\nExample:\n  lamina recover')
    .action(async (_options: object, command: Command) => {
      const { output, store } = contextOf(command);
      const { recover } = await import('../app/recover.js');
      const data = await recover(await store());
      output.result(data, () => recoverText(data));
    });
}

function recoverText({ transactions, nodes, updates, left, mounts, ended, byHand }: RecoverData): string {
  const count = transactions.length + nodes.length + updates.length;
  const cleared = `removed ${counted(transactions.length, 'transaction')}, ${counted(nodes.length, 'node')}, ${counted(updates.length, 'update')}`;
  const unmounted = mounts.map(({ container, mountpoint }) =>
    container === null
      ? `unmounted ${shown(mountpoint)}: the driver of its update was gone`
      : `unmounted ${shown(mountpoint)}: its driver is gone; what was written is kept, mount it again: lamina mount ${container} ${shown(mountpoint)}`,
  );
  const without = ended.map(
    (name) =>
      `container ${shown(name)} is no longer mounted: its driver died (the system log has the reason); what was written is kept, mount it again: lamina mount ${shown(name)} DIR`,
  );
  const stays = left.map(({ path, reason }) => `${path} could not be removed: ${reason}`);
  const handMade = byHand.map(({ update, directory, problem }) =>
    problem === null
      ? `update ${shown(update)} is open again on ${shown(directory)}: commit or abort it`
      : `update ${shown(update)} is kept, but could not be mounted again on ${shown(directory)}: ${problem}; when that is mended, run lamina recover, or lamina update commit ${shown(update)}`,
  );
  const lines = [...(count === 0 ? [] : [cleared]), ...stays, ...unmounted, ...without, ...handMade];
  return lines.length === 0 ? 'there was nothing to recover' : lines.join('\n');
}
