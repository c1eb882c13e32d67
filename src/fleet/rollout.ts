import * as z from 'zod';
import type { BytePath } from '../base/bytes.js';
import { usage } from '../base/errors.js';
import type { ChannelUpdate } from '../channel/index.js';
import { own } from '../manifest/index.js';
import { writeFileDurably } from '../platform/durable.js';
import { acquireLock } from '../platform/lock.js';
import { readJsonRecordSync } from '../store/index.js';
import type { CountedReport } from './report.js';
import { judge } from './rule.js';
import type { Rule } from './rule.js';
import { summaryOf } from './summary.js';
import type { UpdateSummary } from './summary.js';

const lockPatienceMs = 30_000;
/** For an update without a group. */
const everybody = 'all';

/** What is remembered of a rollout from one run of the timer to the next. */
const remembered = z
  .strictObject({
    rule: z.string(),
    percent: z.number(),
    /** Since when the rule holds at this percentage, by the clock of this machine; null: it does not. */
    okSince: z.iso.datetime().nullable(),
  })
  .readonly();
type Remembered = z.infer<typeof remembered>;

const schema = z.strictObject({ version: z.literal(1), updates: z.record(z.string(), remembered) }).readonly();

/** What a rollout does next. */
export interface Decision {
  /**
   * `raise`: to `percent`. `complete`: it is offered to all, and the rule holds. `ended`: it was withdrawn before, and
   * there is nothing more to decide.
   */
  readonly action: 'wait' | 'raise' | 'withdraw' | 'complete' | 'ended';
  readonly percent: number;
  readonly because: string;
  readonly summary: UpdateSummary;
  readonly remember: Remembered;
}

export interface RolloutRequest {
  readonly update: ChannelUpdate;
  readonly rule: Rule;
  /** As it was given: another rule begins again. */
  readonly ruleText: string;
  /** The percentages, in order. */
  readonly steps: readonly number[];
  readonly now: Date;
}

/**
 * Decides about an update by what enrolled machines report. How long a rule holds is measured by the clock of this
 * machine: the times in reports are those of machines, whose clocks may be wrong.
 * @throws LaminaError usage: the update is for another group than the rule
 */
export function decide(
  request: RolloutRequest,
  reports: readonly CountedReport[],
  before: Remembered | undefined,
): Decision {
  const { update, rule, ruleText, steps, now } = request;
  refuseOther(update, rule);
  const summary = summaryOf(update, reports);
  if (update.withdrawn) {
    const because = `it is withdrawn; ${summary.remaining} machines still report it`;
    const { percent } = update;
    return { action: 'ended', percent, because, summary, remember: { rule: ruleText, percent, okSince: null } };
  }
  const who = update.percent > 0 ? 'that it is offered to' : `of group '${rule.group}'`;
  const judged = judge(rule, summary, who);
  const { verdict, because } = summary.offered === 0 && isForNobody(update) ? forNobody : judged;
  const { percent } = update;
  const known = before?.rule === ruleText && before.percent === percent ? before.okSince : null;
  const okSince = verdict === 'ok' ? (known ?? now.toISOString()) : null;
  const remember = { rule: ruleText, percent, okSince };
  if (verdict === 'too many failures') return { action: 'withdraw', percent, because, summary, remember };
  const next = steps.find((step) => step > percent);
  const heldMs = okSince === null ? -1 : now.getTime() - Date.parse(okSince);
  // A clock that was set back must not make the rule hold at once, nor never.
  const isHeld = okSince !== null && heldMs >= rule.forMs;
  if (okSince !== null && heldMs < 0)
    return { ...waiting('the clock was set back'), remember: { ...remember, okSince: now.toISOString() } };
  if (!isHeld) return waiting(verdict === 'ok' ? timeText(rule, heldMs) : undefined);
  if (next === undefined) return { action: 'complete', percent, because, summary, remember };
  const held = `${because}, for ${durationText(heldMs)}`;
  return {
    action: 'raise',
    percent: next,
    because: held,
    summary,
    remember: { ...remember, percent: next, okSince: null },
  };

  function waiting(more: string | undefined): Decision {
    const why = more === undefined ? because : `${because}; ${more}`;
    return { action: 'wait', percent, because: why, summary, remember };
  }
}

const timeText = ({ forMs }: Rule, heldMs: number) =>
  `this has held for ${durationText(heldMs)}, and must hold for ${durationText(forMs)}`;

/** "90 s", "45 min", "3.5 h". */
function durationText(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  if (seconds < 120) return `${seconds} s`;
  return seconds < 7200 ? `${Math.floor(seconds / 60)} min` : `${Math.floor(seconds / 360) / 10} h`;
}

const isForNobody = ({ group, percent }: ChannelUpdate) => group === null && percent === 0;
const forNobody = {
  verdict: 'not yet',
  because: 'it is offered to no machine: begin with a share by hand, lamina channel promote --percent',
} as const;

function refuseOther({ name, group }: ChannelUpdate, rule: Rule): void {
  if (rule.group === (group ?? everybody)) return;
  const first = group === null ? 'has no group' : `is offered to group '${group}' first`;
  throw usage(`the rule is for group '${rule.group}', and update '${name}' ${first}`, {
    code: 'OTHER_GROUP',
    hint: `begin the rule with '${group ?? everybody}:'`,
  });
}

/** @throws LaminaError usage: the text is no list of growing percentages */
export function parseSteps(text: string): number[] {
  const steps = text.split(',').map((each) => (/^\s*\d{1,3}(\.\d+)?\s*$/.test(each) ? Number(each) : Number.NaN));
  const grow = steps.every((step, i) => step > (steps[i - 1] ?? 0) && step <= 100);
  if (grow) return steps;
  throw usage(`--steps ${text.slice(0, 100)}: not a list of growing percentages up to 100`, {
    hint: 'write them so: --steps 10,50,100',
  });
}

/** @throws LaminaError damaged */
export function rememberedOf(file: BytePath, update: string): Remembered | undefined {
  return own(rollouts(file), update);
}

/** Rollouts of other updates may be remembered at the same time. @throws LaminaError refused, damaged */
export async function rememberRollout(file: BytePath, update: string, value: Remembered | undefined): Promise<void> {
  const lock = await acquireLock(`${file}.lock` as BytePath, 'exclusive', { timeoutMs: lockPatienceMs });
  try {
    const { [update]: before, ...others } = rollouts(file);
    if (before === undefined && value === undefined) return;
    const updates = value === undefined ? others : { ...others, [update]: value };
    await writeFileDurably(file, `${JSON.stringify({ version: 1, updates }, null, 1)}\n`);
  } finally {
    lock.release();
  }
}

function rollouts(file: BytePath): Readonly<Record<string, Remembered>> {
  const found = readJsonRecordSync(file, {
    schema,
    fault: 'has no valid state of rollouts',
    code: 'ROLLOUTS_DAMAGED',
    hint: 'remove it: then the times of all rules begin again',
  });
  return found?.updates ?? {};
}
