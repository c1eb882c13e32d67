import { usage } from '../base/errors.js';
import type { UpdateCounts } from './summary.js';

/** When an update may be offered to more machines, and when it must be withdrawn. */
export interface Rule {
  /** The machines that are offered it first. */
  readonly group: string;
  /** Of the machines that are offered the update, those that must have it, in percent. */
  readonly okPercent: number;
  /** For so long. */
  readonly forMs: number;
  /** So many failures, and more, are too many; undefined: any number is accepted. */
  readonly failuresBelow: number | undefined;
  /** Fewer machines prove nothing. At least 1. */
  readonly machines: number;
}

const units: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const longestMs = 90 * 86_400_000;

/**
 * Reads `GROUP: PERCENT% ok for TIME[, failures < NUMBER][, machines >= NUMBER]`, such as
 * `canary: 95% ok for 1h, failures < 3`. Times are in s, m, h or d.
 * @throws LaminaError usage
 */
export function parseRule(text: string): Rule {
  const [, group = '', rest] = /^\s*([A-Za-z0-9][A-Za-z0-9._-]{0,63})\s*:(.*)$/s.exec(text) ?? [];
  if (rest === undefined) throw badRule(text, 'it does not begin with a group and ":"');
  let ok: { okPercent: number; forMs: number } | undefined;
  const more = new Map<string, number>();
  for (const part of rest.split(',').map((each) => each.trim())) {
    const condition = /^(\d{1,3}(?:\.\d+)?)\s*%\s*ok\s+for\s+(\d{1,9})\s*([smhd])$/.exec(part);
    const bound = /^(failures)\s*<\s*(\d{1,9})$/.exec(part) ?? /^(machines)\s*>=\s*(\d{1,9})$/.exec(part);
    if (condition !== null && ok === undefined) ok = okOf(text, condition);
    else if (bound !== null && !more.has(bound[1] ?? '')) more.set(bound[1] ?? '', Number(bound[2]));
    else throw badRule(text, `'${part.slice(0, 60)}' is not a condition, or is given twice`);
  }
  if (ok === undefined)
    throw badRule(text, 'it lacks the percentage that must be ok, and the time for which it must hold');
  const failuresBelow = more.get('failures');
  const machines = more.get('machines') ?? 1;
  if (failuresBelow === 0) throw badRule(text, 'failures < 0 can never be true');
  if (machines === 0) throw badRule(text, 'machines >= 0 requires no report');
  return { group, ...ok, failuresBelow, machines };
}

function okOf(text: string, [, percent, number, unit = '']: readonly (string | undefined)[]) {
  const okPercent = Number(percent);
  const forMs = Number(number) * (units[unit] ?? Number.NaN);
  if (!(okPercent > 0 && okPercent <= 100))
    throw badRule(text, `${String(percent)}% is not more than 0 and at most 100`);
  if (!(forMs <= longestMs)) throw badRule(text, 'the time is longer than 90 days');
  return { okPercent, forMs };
}

const badRule = (text: string, why: string) =>
  usage(`'${text.slice(0, 200)}' is not a rule of a rollout: ${why}`, {
    code: 'BAD_RULE',
    hint: "write it so: 'canary: 95% ok for 1h, failures < 3'; also: machines >= 5",
  });

/** What a rule makes of what the machines report. */
export interface Judgement {
  readonly verdict: 'too many failures' | 'ok' | 'not yet';
  /** One sentence, with the figures. */
  readonly because: string;
}

/** @param who the machines that were counted, for the text: "of group 'canary'" */
export function judge(rule: Rule, { offered, done, failed }: UpdateCounts, who: string): Judgement {
  const { okPercent, failuresBelow, machines } = rule;
  if (failuresBelow !== undefined && failed >= failuresBelow)
    return {
      verdict: 'too many failures',
      because: `it failed on ${failed} of ${offered} machines ${who}; fewer than ${failuresBelow} are accepted`,
    };
  if (offered < machines)
    return { verdict: 'not yet', because: `${offered} machines ${who} report, and at least ${machines} must` };
  const percent = (100 * done) / offered;
  const figures = `${done} of ${offered} machines ${who} have it (${percentText(percent)}%)`;
  if (percent < okPercent) return { verdict: 'not yet', because: `${figures}, and ${okPercent}% must` };
  return { verdict: 'ok', because: figures };
}

/** Rounded down: 94.99 must not be shown as the 95 that it does not reach. */
const percentText = (percent: number) => String(Math.floor(percent * 10) / 10);
