import { Option } from 'commander';
import type { Command } from 'commander';
import type { GraphFormat } from '../app/graph.js';
import type { StatusData } from '../app/inspect.js';
import { usage } from '../base/errors.js';
import type { RecoverData } from '../app/recover.js';
import { contextOf } from './context.js';
import { addExplain, addLog } from './explain-command.js';
import { counted, shown, table } from './output.js';

export function addInspectCommands(program: Command): void {
  addStatusAndGraph(program);
  addDiff(program);
  addLog(program);
  addExplain(program);
  addRecover(program);
}

function addStatusAndGraph(program: Command): void {
  program
    .command('status')
    .description('show bases, containers and where they are mounted')
    .addHelpText('after', '\nExamples:\n  lamina status\n  lamina --json status')
    .action(async (_options: object, command: Command) => {
      const { output, store } = contextOf(command);
      const { status } = await import('../app/inspect.js');
      const data = await status(await store());
      output.result(data, () => statusText(data));
    });
  program
    .command('graph')
    .description('draw the graph of layers and storages; with --json, its nodes and edges')
    .addOption(new Option('--format <format>', 'how').choices(['text', 'mermaid', 'dot']).default('text'))
    .addHelpText('after', '\nExamples:\n  lamina graph\n  lamina graph --format dot | dot -Tsvg >graph.svg')
    .action(async (options: { format: GraphFormat }, command: Command) => {
      const { output, store } = contextOf(command);
      if (output.json && command.getOptionValueSource('format') === 'cli')
        throw usage('--format does nothing with --json, which gives the graph as data', {
          hint: 'leave one of them out',
        });
      const { drawGraph, graphData } = await import('../app/graph.js');
      const manifest = await (await store()).read();
      output.result({ graph: graphData(manifest) }, () => drawGraph(manifest, options.format));
    });
}

function addDiff(program: Command): void {
  program
    .command('diff <a> [b]')
    .description(
      'list the differences between two containers, bases or nodes; of one, what it changes relative to what is below it',
    )
    .addHelpText('after', '\nExamples:\n  lamina diff web           what container web changed\n  lamina diff web db')
    .action(async (a: string, b: string | undefined, _options: object, command: Command) => {
      const { output, store } = contextOf(command);
      const { diff } = await import('../app/inspect.js');
      const changes = await diff(await store(), a, b);
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
  const cleared = `cleared away ${counted(transactions.length, 'transaction')}, ${counted(nodes.length, 'node')}, ${counted(updates.length, 'update')}`;
  const unmounted = mounts.map(({ container, mountpoint }) =>
    container === null
      ? `unmounted ${shown(mountpoint)}: the driver of its update was gone`
      : `unmounted ${shown(mountpoint)}: its driver is gone; what was written is in ${container}: lamina mount ${container} ${shown(mountpoint)}`,
  );
  const without = ended.map(
    (name) =>
      `the mount of ${shown(name)} has ended: its driver died (the system's log says how); what was written is in ${shown(name)}: lamina mount ${shown(name)} DIR`,
  );
  const stays = left.map(({ path, reason }) => `${path} could not be removed: ${reason}`);
  const handMade = byHand.map(({ update, directory, problem }) =>
    problem === null
      ? `update ${shown(update)} is open again on ${shown(directory)}: commit or abort it`
      : `update ${shown(update)} is kept, but could not be mounted again on ${shown(directory)}: ${problem}; then: lamina recover, or lamina update commit ${shown(update)}`,
  );
  const lines = [...(count === 0 ? [] : [cleared]), ...stays, ...unmounted, ...without, ...handMade];
  return lines.length === 0 ? 'there was nothing to recover' : lines.join('\n');
}

function statusText(data: StatusData): string {
  const bases = data.bases.map(({ name, head, layers }) => [name, named(data, head), counted(layers.length, 'layer')]);
  const elsewhere = new Map(data.elsewhere.map(({ container, mountpoint }) => [container, mountpoint]));
  const placeOf = (name: string) =>
    elsewhere.has(name) ? `${elsewhere.get(name) ?? ''} (in another mount namespace)` : '-';
  const containers = data.containers.map(({ name, base, layer, behind, mountpoint, driverGone }) => [
    name,
    base,
    named(data, layer),
    behind === null ? 'left behind by a rollback' : behind.length === 0 ? 'newest' : `behind: ${behind.join(', ')}`,
    mountpoint === null ? placeOf(name) : `${mountpoint}${driverGone ? ' (its driver is gone: lamina recover)' : ''}`,
  ]);
  const running = data.running.map(
    ({ process, command, since }) => `running: lamina ${shown(command)} (process ${process}, since ${since})`,
  );
  const servicing = data.servicing.map(({ name, base, directory, mountpoint, state }) =>
    state === 'interrupted'
      ? `update ${name} of base ${base}, made by hand on ${shown(directory)}, was interrupted, and is kept: lamina recover mounts it again`
      : `update ${name} of base ${base} is being made by hand on ${shown(mountpoint ?? `${directory} (in another mount namespace)`)}`,
  );
  const late = data.containers.find(({ behind }) => behind !== null && behind.length > 0);
  return [
    `store ${shown(data.store)}`,
    '',
    table(['BASE', 'HEAD', 'LAYERS'], bases, 'there are no bases'),
    '',
    table(['CONTAINER', 'BASE', 'LAYER', 'STATE', 'MOUNTED ON'], containers, 'there are no containers'),
    ...[running, servicing].flatMap((lines) => (lines.length === 0 ? [] : ['', ...lines])),
    ...(late === undefined
      ? []
      : ['', `to bring one that is behind to the newest: lamina update catch-up ${late.name}`]),
  ].join('\n');
}

/** A layer with the update that made it. */
function named({ nodes }: StatusData, layer: string): string {
  const update = nodes.find(({ id }) => id === layer)?.update ?? null;
  return update === null ? layer : `${layer} (${update})`;
}
