import { Option } from 'commander';
import type { Command } from 'commander';
import type { CatchUpData } from '../app/catch-up.js';
import { bytesText } from '../base/units.js';
import { conflictOption, numberOf } from './arguments.js';
import type { ConflictWord } from './arguments.js';
import { contextOf } from './context.js';
import type { Context } from './context.js';
import { partlyDone, setExitCode } from './exit-code.js';
import { counted, shown, table } from './output.js';
import { changesText } from './preview-text.js';
import { progressLine, rawHelp, speakers } from './progress.js';
import { terminalStream } from './stream.js';
import { refuseIdle, withDryRun } from './usage.js';
import type { IdleRule } from './usage.js';

interface CatchUpOptions {
  readonly timeout?: string;
  readonly alwaysRun?: boolean;
  readonly raw?: boolean;
  readonly conflict?: ConflictWord;
  readonly onFailure: 'abort' | 'stop';
  readonly allowFailures?: boolean;
  readonly health: boolean;
  readonly dryRun?: boolean;
  readonly verbose?: boolean;
}

export function addCatchUp(update: Command): void {
  update
    .command('catch-up <container>')
    .description('service a container that stayed behind for each newer layer of its base')
    .option('--timeout <seconds>', 'end a run that takes longer (default: as when the update was applied)')
    .addOption(
      conflictOption(
        "of what was no script, where the container has its own: keep it and put the layer's beside, or (default: as when the update was applied)",
      ),
    )
    .addOption(
      new Option('--on-failure <what>', 'where a procedure fails: discard all, or keep the updates before it')
        .choices(['abort', 'stop'])
        .default('abort'),
    )
    .option('--allow-failures', 'with --on-failure stop: end with 0 also where it stopped')
    .option('--no-health', 'leave out the health check of the newest update')
    .option('--dry-run', 'do everything but publish, and tell what would change')
    .option('--verbose', 'with --dry-run: list the changes, with what differs in files')
    .option('--raw', rawHelp)
    .option('--always-run', 'run every procedure, also where it provably makes no difference')
    .addHelpText(
      'after',
      '\nThe recorded procedures of the updates that it missed are run in their order, as one transaction. Each of these updates can be rolled back afterwards.\nEnds with 6 where --on-failure stop stopped it.\n\nExample:\n  lamina update catch-up web',
    )
    .action(async (container: string, options: CatchUpOptions, command: Command) => {
      refuseIdle(command, idle);
      await catchUp(contextOf(command), container, options);
    });
}

const idle: readonly IdleRule[] = [
  withDryRun('verbose'),
  {
    option: 'allowFailures',
    unless: ({ onFailure }) => onFailure === 'stop',
    because: 'without --on-failure stop: a failure ends the catch-up',
  },
];

async function catchUp({ output, store, signal }: Context, container: string, options: CatchUpOptions) {
  const { updateCatchUp } = await import('../app/catch-up.js');
  const timeout = numberOf('timeout', options.timeout);
  const line = await progressLine(terminalStream());
  const data = await updateCatchUp(await store(), {
    container,
    timeoutMs: timeout === undefined ? undefined : timeout * 1000,
    alwaysRun: options.alwaysRun === true,
    conflict: options.conflict,
    onFailure: options.onFailure,
    health: options.health,
    dryRun: options.dryRun === true,
    signal,
    onOutput: speakers('', line, options.raw === true),
    onProgress: (progress) => {
      line.update(progress);
    },
  }).finally(() => {
    line.stop();
  });
  if (data.stopped !== null && options.allowFailures !== true) setExitCode(partlyDone);
  output.result(data, () => catchUpText(data, options.verbose === true));
}

function catchUpText(data: CatchUpData, verbose: boolean): string {
  const { container, base, steps, stopped, preview } = data;
  if (steps.length === 0) return `container ${container} is on the newest layer of base ${base}`;
  const rows = steps.map(({ updates, outcome, storage, entries, bytes, conflicts, met }) => [
    updates.join(' + '),
    outcome,
    storage === null ? '-' : `${counted(entries, 'entry', 'entries')}, ${bytesText(bytes)}`,
    conflicts === 0 ? '-' : String(conflicts),
    met === null ? '-' : met,
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
      conflictPaths.length === 0
        ? []
        : [`in conflict with ${names.join(' + ')}: ${conflictPaths.map(shown).join(', ')}`],
    ),
    ...(preview === undefined ? [] : changesText(`container ${container}`, preview.changes, verbose)),
    ...(stopped === null ? [] : [`it stopped before ${stopped.updates.join(' + ')}: ${shown(stopped.message)}`]),
  ].join('\n');
}
