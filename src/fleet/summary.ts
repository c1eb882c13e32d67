import { isOfferedTo } from '../channel/index.js';
import type { ChannelState, ChannelUpdate } from '../channel/index.js';
import type { CountedReport, UpdateReport } from './report.js';

/** How far an update has come. */
export interface UpdateCounts {
  /** Machines that report, follow this base, and are offered the update. */
  readonly offered: number;
  /** Of these, those that have it: applied, had it already, or it changes nothing there. */
  readonly done: number;
  readonly failed: number;
  readonly waiting: number;
}

export interface UpdateSummary extends UpdateCounts {
  readonly sequence: number;
  readonly name: string;
  readonly group: string | null;
  readonly percent: number;
  readonly withdrawn: boolean;
  readonly publishedAt: string;
  readonly rolledBack: number;
  /** Of a withdrawn update: machines that still have it. */
  readonly remaining: number;
  /** The first failures, by machine. */
  readonly failures: readonly MachineFailure[];
}

/** Why an update failed on a machine. */
export interface MachineFailure {
  readonly machine: string;
  readonly host: string;
  readonly code: string;
  readonly message: string;
}

const failuresShown = 10;
const doneOutcomes = new Set(['applied', 'already', 'unchanged']);

/**
 * What machines report of an update.
 * @param counts which machines; by default all
 */
export function summaryOf(
  update: ChannelUpdate,
  reports: readonly CountedReport[],
  counts: (report: CountedReport) => boolean = () => true,
): UpdateSummary {
  const { sequence, name, group, percent, withdrawn, publishedAt } = update;
  let [offered, done, failed, rolledBack] = [0, 0, 0, 0];
  const failures: MachineFailure[] = [];
  for (const report of reports) {
    if (report.base !== update.base || !counts(report)) continue;
    const outcome = outcomeOf(update, report);
    const isOffered = isOfferedTo({ id: report.machine, group: report.group }, update);
    if (isOffered || outcome !== undefined) offered += 1;
    else continue;
    if (outcome === undefined) continue;
    if (doneOutcomes.has(outcome.outcome)) done += 1;
    if (outcome.outcome === 'rolled-back') rolledBack += 1;
    if (outcome.outcome !== 'failed') continue;
    failed += 1;
    if (failures.length < failuresShown) failures.push(failureOf(report, outcome));
  }
  const waiting = withdrawn ? 0 : offered - done - failed - rolledBack;
  const remaining = withdrawn ? done : 0;
  const place = { sequence, name, group, percent, withdrawn, publishedAt };
  return { ...place, offered, done, failed, waiting, rolledBack, remaining, failures };
}

/**
 * What a report says of an update. A report holds the newest updates only: a machine that had the oldest one there had
 * all before it, since updates are applied in order.
 */
function outcomeOf(
  { sequence, withdrawn, package: { sha256 } }: ChannelUpdate,
  { updates }: CountedReport,
): Pick<UpdateReport, 'outcome' | 'error'> | undefined {
  const found = updates.find((each) => each.sequence === sequence);
  if (found !== undefined) return found.sha256 === sha256 && found.outcome !== 'waiting' ? found : undefined;
  const [oldest] = updates;
  const hadOldest = oldest !== undefined && (doneOutcomes.has(oldest.outcome) || oldest.outcome === 'rolled-back');
  const isPast = hadOldest && oldest.sequence > sequence && !withdrawn;
  return isPast ? { outcome: 'already', error: null } : undefined;
}

function failureOf({ machine, host }: CountedReport, { error }: Pick<UpdateReport, 'error'>): MachineFailure {
  return { machine, host, code: error?.code ?? '', message: error?.message ?? '' };
}

/** All updates of a channel, newest first. */
export function summariesOf({ updates }: ChannelState, reports: readonly CountedReport[]): UpdateSummary[] {
  return updates.map((update) => summaryOf(update, reports)).reverse();
}
