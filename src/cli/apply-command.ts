import { Option } from 'commander';
import type { Command } from 'commander';
import type { ApplyData, ApplyRequest } from '../app/apply.js';
import type { Redo } from '../app/redo.js';
import { bytesOf, collect, conflictOption, maxSizeHelp, numberOf } from './arguments.js';
import type { ConflictWord } from './arguments.js';
import { contextOf, pathOf } from './context.js';
import type { Context } from './context.js';
import { determinismText } from './determinism-text.js';
import { partlyDone, setExitCode } from './exit-code.js';
import { leftBehind } from './output.js';
import type { Output } from './output.js';
import { progressLine, rawHelp, speakers } from './progress.js';
import { previewText } from './preview-text.js';
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
}

export function addApply(update: Command): void {
  const command = update
    .command('apply <base> <procedure>')
    .description('run a procedure on a base and in each container on it, and publish what it made');
  addOptions(command, "the update's name (default: the procedure's)", '(default: keep)')
    .addHelpText(
      'after',
      '\nA procedure is an executable script, or a directory or tar with update.json. Whatever goes wrong, nothing is changed. Ends with 6 where\ncontainers were left behind.\n\nExamples:\n  lamina update apply debian ./upgrade.sh --name openssl-fix\n  lamina update apply debian ./upgrade.sh --container web --timeout 600',
    )
    .action(async (base: string, procedure: string, options: ApplyOptions, called: Command) => {
      refuseIdle(called, idle);
      await apply(contextOf(called), { base, procedure: pathOf(procedure) }, options);
    });
}

export function addRedo(update: Command): void {
  const command = update
    .command('redo <update>')
    .description('apply an update again that was rolled back, discarded or failed, from the copy that the store keeps');
  addOptions(command, "the update's name (default: the one it had)", '(default: as it was applied)')
    .addHelpText(
      'after',
      '\nThe update is one of lamina update list --all, by its name (then the newest of that name) or its id. It is applied to the present head of its base,\nin all containers there, with the options it had; options that are given here override them.\n\nExamples:\n  lamina update redo openssl-fix\n  lamina update redo openssl-fix --dry-run',
    )
    .action(async (which: string, options: ApplyOptions, called: Command) => {
      refuseIdle(called, idle);
      const context = contextOf(called);
      const { redoOf } = await import('../app/redo.js');
      await apply(context, await redoOf(await context.store(), which), options);
    });
}

/** What `apply` and `redo` have in common. */
function addOptions(command: Command, name: string, otherwise: string): Command {
  return command
    .option('--name <name>', name)
    .option('--container <name>', 'only this container; may be repeated', collect)
    .option('--network', 'let the procedure use the network')
    .option('--timeout <seconds>', 'stop a run that takes longer')
    .option('--jobs <n>', 'containers to service in parallel (default: one per processor)')
    .addOption(
      new Option('--on-failure <what>', 'if it fails in a container: abort the update, or leave that container behind')
        .choices(['abort', 'skip'])
        .default('abort'),
    )
    .option('--allow-failures', 'exit with 0 even if containers were left behind')
    .addOption(
      conflictOption(
        `of a package's layer, where a container has its own: keep it and put the layer's beside, or ${otherwise}`,
      ),
    )
    .option('--max-size <size>', maxSizeHelp)
    .option('--no-health', "skip the package's health check")
    .option('--dry-run', 'do everything but publish, and show what would change')
    .option('--verbose', 'with --dry-run: list the changes, with what differs in files')
    .option('--check-determinism', 'run on the base twice, and show what differs and how to leave it out')
    .option('--again', 'apply it even if the base already has this very update')
    .option('--raw', rawHelp)
    .option('--always-run', 'run in every container, even where it provably makes no difference');
}

const idle: readonly IdleRule[] = [
  withDryRun('verbose'),
  { option: 'health', unless: ({ dryRun }) => dryRun !== true, because: 'with --dry-run, which makes no health check' },
];

/** What is applied, and the recorded options. */
type Subject = Pick<ApplyRequest, 'base' | 'procedure'> & Partial<Redo>;

async function apply({ output, store, signal }: Context, subject: Subject, options: ApplyOptions): Promise<void> {
  const { updateApply } = await import('../app/apply.js');
  const timeout = numberOf('timeout', options.timeout);
  const jobs = numberOf('jobs', options.jobs);
  const line = await progressLine(terminalStream());
  const write = speakers(subject.base, line, options.raw === true);
  const data = await updateApply(await store(), {
    ...subject,
    name: options.name,
    containers: options.container,
    network: options.network === true || subject.network === true,
    timeoutMs: timeout === undefined ? subject.timeoutMs : timeout * 1000,
    alwaysRun: options.alwaysRun === true || subject.alwaysRun === true,
    repeated: options.again === true ? 'apply' : 'refuse',
    jobs: jobs === undefined ? undefined : Math.ceil(jobs),
    health: options.health,
    maxBytes: bytesOf('max-size', options.maxSize) ?? subject.maxBytes,
    dryRun: options.dryRun === true,
    checkDeterminism: options.checkDeterminism === true,
    onFailure: options.onFailure,
    conflict: options.conflict ?? subject.conflict,
    onFailed: (container, error) => {
      line.write(Buffer.from(`${leftBehind(container, error)}\n`));
    },
    signal,
    onOutput: write,
    onProgress: (progress) => {
      line.update(progress);
    },
  }).finally(() => {
    line.stop();
  });
  report(output, data, options);
}

function report(output: Output, { update, preview, determinism }: ApplyData, options: ApplyOptions): void {
  const effects = preview?.containers ?? update?.effects ?? [];
  if (options.allowFailures !== true && effects.some(({ outcome }) => outcome === 'failed')) setExitCode(partlyDone);
  const checked = determinism === undefined ? {} : { determinism };
  const also = determinism === undefined ? '' : `${determinismText(determinism)}\n`;
  if (preview !== undefined) {
    output.result({ update, preview, ...checked }, () => also + previewText(preview, options.verbose === true));
    return;
  }
  const done = () =>
    update === null
      ? 'the procedure changed nothing; no update was recorded'
      : `applied update ${update.name}\n${updateText(update)}`;
  output.result({ update, ...checked }, () => also + done());
}
