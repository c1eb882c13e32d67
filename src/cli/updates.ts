import { Option } from 'commander';
import type { Command } from 'commander';
import type { ChangeData, UpdateData } from '../app/data.js';
import type { PreviewData } from '../app/updates.js';
import { usage } from '../base/errors.js';
import { contextOf, pathOf } from './context.js';
import type { Context } from './context.js';
import { counted, shown, table } from './output.js';

interface ApplyOptions {
  readonly name?: string;
  readonly container?: string[];
  readonly network?: boolean;
  readonly alwaysRun?: boolean;
  readonly timeout?: string;
  readonly jobs?: string;
  readonly dryRun?: boolean;
  readonly verbose?: boolean;
  readonly onFailure?: 'abort' | 'skip';
}

export function addUpdateCommands(program: Command): void {
  const update = program.command('update').description('change a base, and every container on it, in one transaction');
  addApply(update);
  addManual(update);
  update
    .command('list')
    .description('list the updates')
    .addHelpText('after', '\nExample:\n  lamina update list')
    .action(async (_options: object, command: Command) => {
      const { output, store } = contextOf(command);
      const { updateList } = await import('../app/inspect.js');
      const updates = await updateList(await store());
      const rows = updates.map((each) => [
        each.name,
        each.base,
        each.state,
        counted(each.entries, 'entry', 'entries'),
        counted(each.effects.length, 'container'),
        each.created,
      ]);
      output.result({ updates }, () =>
        table(['UPDATE', 'BASE', 'STATE', 'LAYER', 'CONTAINERS', 'CREATED'], rows, 'there are no updates'),
      );
    });
  update
    .command('show <update>')
    .description('show what an update did, in the base and in each container')
    .addHelpText('after', '\nExample:\n  lamina update show openssl-fix')
    .action(async (name: string, _options: object, command: Command) => {
      const { output, store } = contextOf(command);
      const { updateShow } = await import('../app/inspect.js');
      const data = await updateShow(await store(), name);
      output.result(data, () => updateText(data));
    });
  addRollback(program);
}

const collect = (value: string, before: string[] = []) => [...before, value];

function numberOf(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (Number.isFinite(value) && value > 0) return value;
  throw usage(`--${option} ${text}: give a number above 0`);
}

function addApply(update: Command): void {
  update
    .command('apply <base> <procedure>')
    .description('run a procedure on a base and in each container on it, and publish what it made')
    .option('--name <name>', "the update's name (default: the procedure's)")
    .option('--container <name>', 'only this container; may be repeated', collect)
    .option('--network', 'let the procedure use the network')
    .option('--timeout <seconds>', 'end a run that takes longer')
    .option('--jobs <n>', 'containers serviced side by side (default: the processors)')
    .addOption(
      new Option('--on-failure <what>', 'where it fails in a container: discard all, or leave that one behind')
        .choices(['abort', 'skip'])
        .default('abort'),
    )
    .option('--dry-run', 'do everything but publish, and tell what would change')
    .option('--verbose', 'with --dry-run: list the changes')
    .option('--always-run', 'run in every container, also where it provably makes no difference')
    .addHelpText(
      'after',
      '\nA procedure is an executable script, or a directory with update.json. Whatever goes wrong, nothing is changed.\n\nExamples:\n  lamina update apply debian ./upgrade.sh --name openssl-fix\n  lamina update apply debian ./upgrade.sh --container web --timeout 600',
    )
    .action(async (base: string, procedure: string, options: ApplyOptions, command: Command) => {
      const context = contextOf(command);
      await apply(context, base, procedure, options);
    });
}

async function apply(
  { output, store, signal }: Context,
  base: string,
  procedure: string,
  options: ApplyOptions,
): Promise<void> {
  const { updateApply } = await import('../app/updates.js');
  const timeout = numberOf('timeout', options.timeout);
  const jobs = numberOf('jobs', options.jobs);
  let speaker: string | undefined;
  const { update, preview } = await updateApply(await store(), {
    base,
    procedure: pathOf(procedure),
    name: options.name,
    containers: options.container,
    network: options.network === true,
    timeoutMs: timeout === undefined ? undefined : timeout * 1000,
    alwaysRun: options.alwaysRun === true,
    jobs: jobs === undefined ? undefined : Math.ceil(jobs),
    dryRun: options.dryRun === true,
    onFailure: options.onFailure,
    onFailed: (container, error) => {
      output.note(`container ${container} stays on its old layer: ${error.message}`);
    },
    signal,
    onOutput: (container, chunk) => {
      const who = container === undefined ? `base ${base}` : `container ${container}`;
      if (who !== speaker) output.note(`--- ${who}`);
      speaker = who;
      process.stderr.write(chunk);
    },
  });
  if (preview !== undefined) {
    output.result({ preview }, () => previewText(preview, options.verbose === true));
    return;
  }
  output.result({ update }, () =>
    update === null
      ? 'the procedure changed nothing; no update was recorded'
      : `applied update ${update.name}\n${updateText(update)}`,
  );
}

function previewText({ base, containers }: PreviewData, verbose: boolean): string {
  const count = (changes: readonly ChangeData[]) =>
    Object.entries({ add: 'added', modify: 'modified', delete: 'deleted' })
      .map(([change, done]) => `${changes.filter((each) => each.change === change).length} ${done}`)
      .join(', ');
  const list = (changes: readonly ChangeData[]) =>
    verbose ? changes.map(({ path, change, type }) => `  ${change.padEnd(6)}  ${type.padEnd(9)}  /${shown(path)}`) : [];
  return [
    'a dry run: nothing was changed',
    `base ${base.name}: ${count(base.changes)}, ${counted(base.bytes, 'byte')} of content`,
    ...list(base.changes),
    ...containers.flatMap(({ container, outcome, entries, bytes, changes }) => [
      `container ${container}: ${outcome}; ${count(changes)}; side effect ${counted(entries, 'entry', 'entries')}, ${counted(bytes, 'byte')}`,
      ...list(changes),
    ]),
  ].join('\n');
}

function addManual(update: Command): void {
  update
    .command('begin <base> <dir>')
    .description('mount a base on an empty directory to change it by hand')
    .requiredOption('--name <name>', "the update's name")
    .addHelpText(
      'after',
      '\nThen work in DIR, and commit or abort. Unmounting DIR aborts.\n\nExample:\n  lamina update begin debian /mnt/work --name hand-made',
    )
    .action(async (base: string, directory: string, options: { name: string }, command: Command) => {
      const { output, store } = contextOf(command);
      const { updateBegin } = await import('../app/updates.js');
      const data = await updateBegin(await store(), base, pathOf(directory), options.name);
      output.result(
        data,
        () => `base ${base} is mounted on ${data.mountpoint}; then: lamina update commit ${data.name}`,
      );
    });
  update
    .command('commit <update>')
    .description('make what was done by hand the newest layer')
    .addHelpText('after', '\nExample:\n  lamina update commit by-hand')
    .action(async (name: string, _options: object, command: Command) => {
      const { output, store, signal } = contextOf(command);
      const { updateCommit } = await import('../app/updates.js');
      const data = await updateCommit(await store(), name, signal);
      const hiding = data.hiding.map(
        ({ container, paths }) =>
          `container ${container} has its own ${paths.map(shown).join(', ')}: these keep hiding the new layer's`,
      );
      output.result(data, () => [`committed update ${name}`, updateText(data.update), ...hiding].join('\n'));
    });
  update
    .command('abort <update>')
    .description('discard what was done by hand')
    .addHelpText('after', '\nExample:\n  lamina update abort by-hand')
    .action(async (name: string, _options: object, command: Command) => {
      const { output, store } = contextOf(command);
      const { updateAbort } = await import('../app/updates.js');
      await updateAbort(await store(), name);
      output.result({ aborted: name }, () => `aborted update ${name}`);
    });
}

function addRollback(program: Command): void {
  program
    .command('rollback <update>')
    .description('undo an update; what was written since is kept or put aside')
    .option('--container <name>', 'only in this container; may be repeated', collect)
    .option('--discard', 'drop what was written since')
    .addHelpText('after', '\nExamples:\n  lamina rollback openssl-fix\n  lamina rollback openssl-fix --container web')
    .action(async (name: string, options: { container?: string[]; discard?: boolean }, command: Command) => {
      const { output, store } = contextOf(command);
      const { rollback } = await import('../app/updates.js');
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

function updateText(update: UpdateData): string {
  const rows = update.effects.map(({ container, outcome, storage, entries }) => [
    container,
    outcome,
    storage === null ? '-' : counted(entries, 'entry', 'entries'),
    storage ?? '',
  ]);
  const head = `base ${update.base}: delta layer ${update.layer}, ${counted(update.entries, 'entry', 'entries')}, ${update.state}`;
  return `${head}\n${table(['CONTAINER', 'OUTCOME', 'SIDE EFFECT', 'DELTA STORAGE'], rows, 'no container was on the base')}`;
}
