import { Option } from 'commander';
import type { Command } from 'commander';
import type { ApplyData, ApplyRequest, Progress } from '../app/apply.js';
import { fromText, toText } from '../base/bytes.js';
import type { Redo } from '../app/redo.js';
import { bytesOf, collect, conflictOption, countOf, maxSizeHelp, secondsOf } from './arguments.js';
import type { ConflictWord } from './arguments.js';
import { contextOf, pathOf } from './context.js';
import { EnginesTaken, engineOption } from './engine-option.js';
import type { EngineWish } from './engine-option.js';
import type { Context, Order } from './context.js';
import { determinismText } from './determinism-text.js';
import { partlyDone, setExitCode } from './exit-code.js';
import { counted, leftBehind, shown } from './output.js';
import type { Output } from './output.js';
import { progressLine, rawHelp, speakers } from './progress.js';
import { previewText } from './preview-text.js';
import { escaped } from './remote/escaped.js';
import { terminalStream } from './stream.js';
import { updateText } from './update-text.js';
import { refuseIdle, withDryRun } from './usage.js';
import type { IdleRule } from './usage.js';

interface ApplyOptions {
  readonly name?: string;
  readonly container?: string[];
  readonly network?: boolean;
  readonly alwaysRun?: boolean;
  readonly raw?: boolean;
  readonly again?: boolean;
  readonly force?: boolean;
  readonly timeout?: string;
  readonly jobs?: string;
  readonly dryRun?: boolean;
  readonly verbose?: boolean;
  readonly checkDeterminism?: boolean;
  readonly onFailure?: 'abort' | 'skip';
  readonly allowFailures?: boolean;
  readonly conflict?: ConflictWord;
  readonly health: boolean;
  readonly maxSize?: string;
  readonly engine?: EngineWish;
  readonly restart?: boolean;
}

export function addApply(update: Command): void {
  const command = update
    .command('apply <base> <procedure>')
    .description('run a procedure on a base and in each container on it, and publish the result');
  addOptions(command, "the update's name (default: the procedure's)", '(default: keep)')
    .addHelpText(
      'after',
      '\nA procedure is an executable script, or a directory or tar with update.json; or a newer image of the base, named with its transport\nas in containers-transports(5): docker://NAME:TAG, oci:DIR:TAG, oci-archive:FILE, docker-archive:FILE, dir:DIR or\ncontainers-storage:NAME. If it fails, nothing is changed. Exits with 6 if containers were left behind.\n\nExamples:\n  lamina update apply debian ./upgrade.sh --name openssl-fix\n  lamina update apply debian ./upgrade.sh --container web --timeout 600\n  lamina update apply debian docker://debian:12.13 --dry-run',
    )
    .action(async (base: string, procedure: string, options: ApplyOptions, called: Command) => {
      refuseIdle(called, idle);
      const { namesImage } = await import('../app/import-image.js');
      const context = contextOf(called);
      // With --remote it is a path on the server.
      const source = context.isRemote || namesImage(procedure) ? fromText(procedure) : pathOf(procedure);
      const subject = { base, procedure: source };
      await apply(context, subject, options, applyOrder(subject, options));
    });
}

export function addRedo(update: Command): void {
  const command = update
    .command('redo <update>')
    .description('apply an update again that failed, was rolled back or was discarded; the store keeps its procedure');
  addOptions(command, "the update's name (default: the one it had)", '(default: as when it was applied)')
    .addHelpText(
      'after',
      '\nGive the update by its id, or by its name for the newest of that name; lamina update list --all shows both. It is applied to the current head of\nits base and in all containers there, with the options it had; options given here override them.\n\nExamples:\n  lamina update redo openssl-fix\n  lamina update redo openssl-fix --dry-run',
    )
    .action(async (which: string, options: ApplyOptions, called: Command) => {
      refuseIdle(called, idle);
      const context = contextOf(called);
      if (context.isRemote) {
        const order = { path: `/updates/${escaped(which)}/redo`, body: redoBody(options) };
        // The server knows which base it is of, and names it in what it prints.
        await apply(context, { base: '', procedure: fromText('') }, options, order);
        return;
      }
      const { redoOf } = await import('../app/redo.js');
      const subject = await redoOf(await context.store(), which);
      await apply(context, subject, options, applyOrder(subject, options));
    });
}

/** What `apply` and `redo` have in common. */
function addOptions(command: Command, name: string, otherwise: string): Command {
  return command
    .option('--name <name>', name)
    .option('--container <name>', 'only this container; may be repeated', collect)
    .option('--network', 'let the procedure use the network')
    .option('--timeout <seconds>', 'stop a run that takes longer')
    .addOption(engineOption('what mounts the containers in which it runs: see lamina mount (default: lamina settings)'))
    .option('--jobs <n>', 'containers to service in parallel (default: one per processor)')
    .addOption(
      new Option('--on-failure <what>', 'if it fails in a container: abort the update, or leave that container behind')
        .choices(['abort', 'skip'])
        .default('abort'),
    )
    .option('--allow-failures', 'exit with 0 even if containers were left behind')
    .addOption(
      conflictOption(
        `for a path that both a container and a layer or image changed: keep the container's, with the other beside it (keep), keep only the container's (ours), take the other (theirs), or fail ${otherwise}`,
      ),
    )
    .option('--max-size <size>', maxSizeHelp)
    .option('--no-health', "skip the package's health check")
    .option('--dry-run', 'do everything but publish, and show what would change')
    .option('--verbose', 'with --dry-run: list the changes, with what differs in files')
    .option('--check-determinism', 'run on the base twice; show what differs between the runs, and how to exclude it')
    .option('--again', 'apply it even if the base already has this update')
    .option('--force', 'apply an image even if it is another distribution, for another architecture, or older')
    .option('--restart', 'stop the units of its containers, apply it, and start them again: see lamina unit')
    .option('--raw', rawHelp)
    .option('--always-run', 'run in every container, even where it provably makes no difference');
}

const idle: readonly IdleRule[] = [
  withDryRun('verbose'),
  { option: 'restart', unless: ({ dryRun }) => dryRun !== true, because: 'with --dry-run' },
  { option: 'health', unless: ({ dryRun }) => dryRun !== true, because: 'with --dry-run, which makes no health check' },
];

/** What is applied, and the recorded options. */
type Subject = Pick<ApplyRequest, 'base' | 'procedure'> & Partial<Redo>;

/** @param remote the order to a server, with --remote */
async function apply(context: Context, subject: Subject, options: ApplyOptions, remote: Order): Promise<void> {
  const { output, store, signal, act } = context;
  const { applyRestarting, updateApply } = await import('../app/apply.js');
  const timeout = secondsOf('timeout', options.timeout);
  const jobs = countOf('jobs', options.jobs, 1);
  const line = await progressLine(terminalStream());
  const engines = new EnginesTaken();
  const write = speakers(subject.base, line, options.raw === true);
  const request = {
    ...subject,
    name: options.name,
    containers: options.container,
    network: options.network === true || subject.network === true,
    timeoutMs: timeout === undefined ? subject.timeoutMs : timeout * 1000,
    alwaysRun: options.alwaysRun === true || subject.alwaysRun === true,
    repeated: options.again === true ? 'apply' : 'refuse',
    force: options.force === true,
    jobs,
    health: options.health,
    maxBytes: bytesOf('max-size', options.maxSize) ?? subject.maxBytes,
    dryRun: options.dryRun === true,
    checkDeterminism: options.checkDeterminism === true,
    onFailure: options.onFailure,
    engine: options.engine,
    onEngine: engines.add,
    conflict: options.conflict ?? subject.conflict,
    onFailed: (container: string, error: Error) => {
      line.write(Buffer.from(`${leftBehind(container, error)}\n`));
    },
    signal,
    onOutput: write,
    onProgress: (progress: Progress) => {
      line.update(progress);
    },
  } satisfies ApplyRequest;
  const order = { ...remote, onProgress: request.onProgress };
  const applied = act<ApplyData>(order, async () => {
    const at = await store();
    if (options.restart !== true) return updateApply(at, request);
    return applyRestarting(at, request, ({ unit, message }) => {
      line.write(Buffer.from(`unit ${shown(unit)} did not start again: ${shown(message)}\n`));
    });
  });
  const data = await applied.finally(() => {
    line.stop();
  });
  engines.note(output);
  report(output, data, options);
}

/** The request to a server that does the work in place of this process. */
function applyOrder({ base, procedure }: Subject, options: ApplyOptions): Order {
  const { health, restart, dryRun } = options;
  const body = { base, procedure: toText(procedure), ...optionsBody(options) };
  return dryRun === true
    ? { path: '/updates/preview', body }
    : { path: '/updates', body: { ...body, health, restart } };
}

const redoBody = (options: ApplyOptions) => {
  const { health, restart, dryRun } = options;
  return { ...optionsBody(options), health, restart, dryRun };
};

function optionsBody(options: ApplyOptions) {
  const { name, container: containers, network, alwaysRun, again, force, checkDeterminism } = options;
  const { onFailure, conflict, maxSize, engine } = options;
  return {
    ...{ name, containers, network, alwaysRun, again, force, checkDeterminism, onFailure, conflict, maxSize, engine },
    timeout: secondsOf('timeout', options.timeout),
    jobs: countOf('jobs', options.jobs, 1),
  };
}

function report(output: Output, data: ApplyData, options: ApplyOptions): void {
  const { update, preview, determinism, restarted } = data;
  const effects = preview?.containers ?? update?.effects ?? [];
  if (options.allowFailures !== true && effects.some(({ outcome }) => outcome === 'failed')) setExitCode(partlyDone);
  if (restarted?.some(({ problem }) => problem !== null) === true) setExitCode(partlyDone);
  const checked = { ...(determinism === undefined ? {} : { determinism }), ...(restarted && { restarted }) };
  const also = determinism === undefined ? '' : `${determinismText(determinism)}\n`;
  if (preview !== undefined) {
    output.result({ update, preview, ...checked }, () => also + previewText(preview, options.verbose === true));
    return;
  }
  const done = () =>
    update === null
      ? 'the procedure changed nothing; no update was recorded'
      : `applied update ${update.name}\n${updateText(update)}`;
  output.result({ update, ...checked }, () => also + done() + restartText(restarted ?? []));
}

function restartText(restarted: NonNullable<ApplyData['restarted']>): string {
  const again = restarted.filter(({ problem }) => problem === null);
  const lines = [
    ...(again.length === 0 ? [] : [`restarted ${counted(again.length, 'unit')}: ${names(again)}`]),
    ...restarted
      .filter(({ problem }) => problem !== null)
      .map(({ unit }) => `unit ${shown(unit)} did not start: see journalctl -u ${shown(unit)}`),
  ];
  return lines.map((line) => `\n${line}`).join('');
}

const names = (units: NonNullable<ApplyData['restarted']>) => units.map(({ unit }) => shown(unit)).join(', ');
