import { Option } from 'commander';
import type { Command } from 'commander';
import type { CatchUpData, CatchUpsData } from '../app/catch-up.js';
import { usage } from '../base/errors.js';
import { someOf } from '../base/some-of.js';
import { bytesText } from '../base/units.js';
import { conflictOption, secondsOf } from './arguments.js';
import type { Progress } from '../app/apply.js';
import type { ConflictWord } from './arguments.js';
import { becauseText } from '../data/index.js';
import { contextOf } from './context.js';
import type { Context, Order } from './context.js';
import { EnginesTaken, engineOption } from './engine-option.js';
import type { EngineWish } from './engine-option.js';
import { partlyDone, setExitCode } from './exit-code.js';
import { counted, leftBehind, shown, table } from './output.js';
import { changesText } from './preview-text.js';
import { progressLine, rawHelp, speakers } from './progress.js';
import type { ProgressLine } from './progress.js';
import { escaped } from './remote/escaped.js';
import { terminalStream } from './stream.js';
import { fullName, refuseIdle, withDryRun } from './usage.js';
import type { IdleRule } from './usage.js';

interface CatchUpOptions {
  readonly all?: boolean;
  readonly timeout?: string;
  readonly alwaysRun?: boolean;
  readonly raw?: boolean;
  readonly conflict?: ConflictWord;
  readonly onFailure: 'abort' | 'stop';
  readonly allowFailures?: boolean;
  readonly health: boolean;
  readonly dryRun?: boolean;
  readonly verbose?: boolean;
  readonly engine?: EngineWish;
}

export function addCatchUp(update: Command): void {
  update
    .command('catch-up [container...]')
    .description('bring containers that are behind up to the newest layer of their base')
    .option('--all', 'every container that is behind')
    .option('--timeout <seconds>', 'stop a run that takes longer (default: as when the update was applied)')
    .addOption(
      conflictOption(
        "for a path that both the container and an update other than a script changed: keep the container's, with the update's beside it (keep), keep only the container's (ours), take the update's (theirs), or fail (default: as when the update was applied)",
      ),
    )
    .addOption(
      new Option('--on-failure <what>', 'if a procedure fails: discard everything, or keep the updates before it')
        .choices(['abort', 'stop'])
        .default('abort'),
    )
    .option(
      '--allow-failures',
      'with several containers, or with --on-failure stop: exit with 0 even if one stayed behind',
    )
    .addOption(
      engineOption('what mounts the containers in which they run: see lamina mount (default: lamina settings)'),
    )
    .option('--no-health', 'skip the health check of the newest update')
    .option('--dry-run', 'do everything but publish, and show what would change')
    .option('--verbose', 'with --dry-run: list the changes, with what differs in files')
    .option('--raw', rawHelp)
    .option('--always-run', 'run every procedure, even where it provably makes no difference')
    .addHelpText(
      'after',
      '\nRuns the recorded procedures of the updates that a container missed, in order and in one transaction per container. Each of these updates can be\nrolled back afterwards. A container that cannot be caught up stays on its layer; the others are caught up. Exits with 6 if some stayed behind.\n\nExamples:\n  lamina update catch-up web\n  lamina update catch-up --all',
    )
    .action(async (containers: string[], options: CatchUpOptions, command: Command) => {
      const [only, ...others] = containers;
      checkWhich(command, containers, options);
      if (only !== undefined && others.length === 0) refuseIdle(command, idle);
      else refuseIdle(command, [withDryRun('verbose')]);
      const context = contextOf(command);
      if (context.isRemote && others.length > 0)
        throw usage('with --remote, catch-up takes one container', { hint: 'run the command once for each container' });
      await catchUp(context, containers, options);
    });
}

function checkWhich(command: Command, containers: readonly string[], { all }: CatchUpOptions): void {
  const hint = `see ${fullName(command)} --help`;
  if (all === true && containers.length > 0)
    throw usage('--all cannot be combined with names of containers', { hint: 'leave one of them out' });
  if (all !== true && containers.length === 0)
    throw usage('no container was named', { hint: `name them, or give --all; ${hint}` });
}

const idle: readonly IdleRule[] = [
  withDryRun('verbose'),
  {
    option: 'allowFailures',
    unless: ({ onFailure }) => onFailure === 'stop',
    because: 'with one container and without --on-failure stop: a failure then ends the catch-up',
  },
];

async function catchUp(
  { output, store, signal, act }: Context,
  containers: readonly string[],
  options: CatchUpOptions,
) {
  const { updateCatchUp, updateCatchUps } = await import('../app/catch-up.js');
  const timeout = secondsOf('timeout', options.timeout);
  const line = await progressLine(terminalStream());
  const engines = new EnginesTaken();
  const request = {
    timeoutMs: timeout === undefined ? undefined : timeout * 1000,
    alwaysRun: options.alwaysRun === true,
    conflict: options.conflict,
    onFailure: options.onFailure,
    health: options.health,
    engine: options.engine,
    onEngine: engines.add,
    dryRun: options.dryRun === true,
    signal,
    onOutput: speakers('', line, options.raw === true),
    onProgress: (progress: Progress) => {
      line.update(progress);
    },
    onFailed: (container: string, error: Error) => {
      line.write(Buffer.from(`${leftBehind(container, error)}\n`));
    },
  };
  const [only, ...others] = containers;
  const verbose = options.verbose === true;
  try {
    if (only !== undefined && others.length === 0) {
      const data = await act({ path: `/containers/${escaped(only)}/catch-up`, ...orderOf(options, line) }, async () =>
        updateCatchUp(await store(), { ...request, container: only }),
      );
      if (data.stopped !== null && options.allowFailures !== true) setExitCode(partlyDone);
      line.stop();
      engines.note(output);
      output.result(data, () => catchUpText(data, verbose));
      return;
    }
    const data = await updateCatchUps(await store(), { ...request, containers: options.all ? undefined : containers });
    const isPart = data.failed.length > 0 || data.containers.some(({ stopped }) => stopped !== null);
    if (isPart && options.allowFailures !== true) setExitCode(partlyDone);
    line.stop();
    engines.note(output);
    output.result(data, () => catchUpsText(data, verbose));
  } finally {
    line.stop();
  }
}

/** The request to a server that does the work in place of this process. */
function orderOf(options: CatchUpOptions, line: ProgressLine): Omit<Order, 'path'> {
  const { conflict, onFailure, engine, health, alwaysRun, dryRun } = options;
  const body = {
    timeout: secondsOf('timeout', options.timeout),
    conflict,
    onFailure,
    engine,
    health,
    alwaysRun,
    dryRun,
  };
  return {
    body,
    onProgress: (progress) => {
      line.update(progress);
    },
  };
}

function catchUpsText({ containers, failed }: CatchUpsData, verbose: boolean): string {
  if (containers.length === 0) return 'no container is behind';
  const left = failed.length === 0 ? [] : [`left behind: ${failed.map(({ container }) => container).join(', ')}`];
  return [...containers.map((data) => catchUpText(data, verbose)), ...left].join('\n\n');
}

function catchUpText(data: CatchUpData, verbose: boolean): string {
  const { container, base, steps, stopped, preview } = data;
  if (steps.length === 0) return `container ${container} is on the newest layer of base ${base}`;
  const rows = steps.map(({ updates, outcome, storage, entries, bytes, conflicts, ranBecauseOf }) => [
    updates.join(' + '),
    outcome,
    storage === null ? '-' : `${counted(entries, 'entry', 'entries')}, ${bytesText(bytes)}`,
    conflicts === 0 ? '-' : String(conflicts),
    becauseText(ranBecauseOf),
  ]);
  const updates = counted(steps.flatMap((step) => step.updates).length, 'update');
  const head =
    preview === undefined
      ? `container ${container} caught up with ${updates} of base ${base}`
      : `a dry run: nothing was changed; container ${container} would catch up with ${updates} of base ${base}`;
  return [
    head,
    table(['UPDATE', 'OUTCOME', 'SIDE EFFECT', 'CONFLICTS', 'RAN BECAUSE OF'], rows, ''),
    ...steps.flatMap(({ updates: names, conflictPaths }) =>
      conflictPaths.length === 0 ? [] : [`in conflict with ${names.join(' + ')}: ${someOf(conflictPaths.map(shown))}`],
    ),
    ...(preview === undefined ? [] : changesText(`container ${container}`, preview.changes, verbose)),
    ...(stopped === null ? [] : [`it stopped before ${stopped.updates.join(' + ')}: ${shown(stopped.message)}`]),
  ].join('\n');
}
