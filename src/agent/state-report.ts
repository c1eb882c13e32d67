import { createHash } from 'node:crypto';
import { hostname } from 'node:os';
import * as z from 'zod';
import { isoNow } from '../base/time.js';
import { version } from '../base/version.js';
import { isOfferedTo } from '../channel/index.js';
import type { ChannelUpdate } from '../channel/index.js';
import { encodeReport, reportCounts, reportTexts } from '../fleet/index.js';
import type { UpdateReport } from '../fleet/index.js';
import { writeFileDurably } from '../platform/durable.js';
import { readJsonRecordSync } from '../store/index.js';
import type { FollowPaths } from '../store/index.js';
import { noContainers } from './follower.js';
import type { Follower } from './follower.js';
import type { Outcome } from './outcomes.js';
import { placeOf } from './apply-offered.js';
import { isContained, keyOfUpdate, outcomeOf } from './plan.js';
import type { Situation } from './plan.js';
import type { Round } from './round.js';
import { sendReport } from './send-report.js';

/** A machine without a new outcome sends a report after this time. */
const heartbeatMs = 24 * 3_600_000;

const reportedSchema = z
  .strictObject({
    version: z.literal(1),
    digest: z.string(),
    /** When the machine sent it, by its clock. */
    at: z.iso.datetime(),
    to: z.string(),
    /** The time that is written in it, where that is another one. */
    written: z.iso.datetime().optional(),
  })
  .readonly();

/**
 * Sends the machine's report if its content has changed, or none was sent for a day.
 * @returns whether one was sent
 * @throws LaminaError: it could not be sent; the next round tries again
 */
export async function report(follower: Follower, { situation, stuck }: Round): Promise<boolean> {
  const { settings, paths, machine, base } = follower;
  if (settings.report === null) return false;
  const content = {
    host: hostname().slice(0, reportTexts.host),
    lamina: version,
    base,
    group: settings.group,
    channel: situation.state.version,
    updates: updateReports(situation, stuck),
  };
  const digest = createHash('sha256').update(JSON.stringify(content)).digest('hex');
  const last = readReported(paths);
  const age = last === undefined ? Infinity : Date.now() - Date.parse(last.at);
  // A clock that was set back must not silence the machine.
  if (last?.digest === digest && last.to === settings.report && age >= 0 && age < heartbeatMs) return false;
  const at = isoNow();
  const written = writtenAfter(last?.written ?? last?.at, at);
  await sendReport(follower, encodeReport(machine, { ...content, written }));
  const record = { version: 1, digest, at, to: settings.report, ...(written === at ? {} : { written }) };
  await writeFileDurably(paths.reported, `${JSON.stringify(record)}\n`, { mode: 0o600 });
  return true;
}

/**
 * The time that a report is written at: later than that of the one before it, also where the clock was set back. A
 * receiver refuses a report that is not newer than the one it has, for anybody could send an old one again.
 */
export function writtenAfter(before: string | undefined, now: string): string {
  const least = before === undefined ? -Infinity : Date.parse(before) + 1;
  return Date.parse(now) >= least ? now : new Date(least).toISOString();
}

function readReported({ reported }: FollowPaths) {
  return readJsonRecordSync(reported, {
    schema: reportedSchema,
    fault: 'has no valid record of the last report',
    code: 'REPORTED_DAMAGED',
    hint: 'remove it: then the machine sends a new report',
  });
}

/** The outcomes of the newest updates of the channel here. */
export function updateReports(situation: Situation, stuck: Round['stuck']): UpdateReport[] {
  const reports = situation.state.updates.flatMap((update) => updateReportOf(situation, update, stuck) ?? []);
  return reports.slice(-reportCounts.updates);
}

function updateReportOf(situation: Situation, update: ChannelUpdate, stuck: Round['stuck']): UpdateReport | undefined {
  const { machine, inForce, outcomes } = situation;
  const last = outcomeOf(outcomes, update);
  const plain = { ...placeOf(update), started: null, seconds: 0, containers: noContainers, failures: [], error: null };
  if (last?.outcome === 'applied' && !inForce.has(keyOfUpdate(update)))
    return { ...strip(last), outcome: 'rolled-back', error: byHand };
  if (last !== undefined) return strip(last);
  if (inForce.has(keyOfUpdate(update))) return { ...plain, outcome: 'applied' };
  if (update.withdrawn) return undefined;
  if (isContained(situation, update)) return { ...plain, outcome: 'already' };
  if (!isOfferedTo(machine, update)) return undefined;
  const error = stuck === undefined ? null : { code: stuck.stuck.code, message: behind(stuck), hint: null };
  return { ...plain, outcome: 'waiting', error };
}

const byHand = { code: 'ROLLED_BACK_HERE', message: 'it was rolled back by hand on this machine', hint: null };

const behind = ({ update, stuck }: NonNullable<Round['stuck']>) =>
  `it waits for update ${update}: ${stuck.because}`.slice(0, reportTexts.message);

function strip({ update: _, again: __, channel: ___, ...reported }: Outcome): UpdateReport {
  return reported;
}
