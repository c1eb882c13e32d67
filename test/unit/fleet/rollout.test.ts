import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { fromText } from '../../../src/base/bytes.js';
import type { ChannelUpdate } from '../../../src/channel/index.js';
import { decide, parseRule, parseSteps, rememberRollout, rememberedOf, summariesOf } from '../../../src/fleet/index.js';
import type { Report } from '../../../src/fleet/index.js';
import { newMachine, outcomeReport, report, stateOf, updateNumber } from '../../support/fleet.js';

const ruleText = 'canary: 90% ok for 1h, failures < 2';
const rule = parseRule(ruleText);
const steps = [10, 50, 100];
const hour = 3_600_000;
const start = Date.parse('2026-01-01T00:00:00Z');
const canary = updateNumber(1, { group: 'canary', percent: 0 });
const machines = Array.from({ length: 10 }, newMachine);
const fleet = (
  update: ChannelUpdate,
  outcomes: readonly (Parameters<typeof outcomeReport>[1] | undefined)[],
): Report[] =>
  outcomes.map((outcome, i) =>
    report(machines[i]!, outcome === undefined ? [] : [outcomeReport(update, outcome)], { group: 'canary' }),
  );
const all = (outcome: 'applied' | 'unchanged') => Array.from({ length: 10 }, () => outcome);

describe('a rollout', () => {
  const at = (ms: number) => ({ update: canary, rule, ruleText, steps, now: new Date(start + ms) });

  it('is raised once the rule has held for its time, by this clock, and then begins to count anew', () => {
    const reports = fleet(canary, [...all('applied').slice(1), undefined]);
    const first = decide(at(0), reports, undefined);
    expect(first).toMatchObject({ action: 'wait', percent: 0, remember: { okSince: '2026-01-01T00:00:00.000Z' } });
    expect(decide(at(hour - 1), reports, first.remember).action).toBe('wait');
    const raised = decide(at(hour), reports, first.remember);
    expect(raised).toMatchObject({ action: 'raise', percent: 10, remember: { percent: 10, okSince: null } });
    const next = { ...at(3 * hour), update: { ...canary, percent: 10 } };
    expect(decide(next, reports, raised.remember).action).toBe('wait');
  });

  it('begins to count anew when the rule did not hold, was changed, or the clock was set back', () => {
    const good = fleet(canary, all('unchanged'));
    const { remember } = decide(at(0), good, undefined);
    const bad = decide(at(hour / 2), fleet(canary, [...all('applied').slice(2), undefined, undefined]), remember);
    expect(bad).toMatchObject({ action: 'wait', remember: { okSince: null } });
    expect(bad.because).toBe("8 of 10 machines of group 'canary' have it (80%), and 90% must");
    expect(decide(at(2 * hour), good, bad.remember).action).toBe('wait');
    expect(decide({ ...at(2 * hour), ruleText: 'other' }, good, remember).action).toBe('wait');
    const back = decide(at(-hour), good, remember);
    expect(back).toMatchObject({ action: 'wait', remember: { okSince: '2025-12-31T23:00:00.000Z' } });
  });

  it('is withdrawn as soon as there are too many failures, at any percentage', () => {
    const reports = fleet(canary, ['failed', 'failed', ...all('applied').slice(2)]);
    const withdrawn = decide(at(0), reports, undefined);
    expect(withdrawn).toMatchObject({
      action: 'withdraw',
      summary: { failed: 2, failures: [{ code: 'UNHEALTHY' }, {}] },
    });
    expect(withdrawn.because).toContain('fewer than 2 are accepted');
    const complete = { ...at(0), update: { ...canary, percent: 100 } };
    expect(decide(complete, reports, undefined).action).toBe('withdraw');
  });

  it('is complete at 100 %', () => {
    const done = { ...at(hour), update: { ...canary, percent: 100 } };
    const remembered = { rule: ruleText, percent: 100, okSince: new Date(start).toISOString() };
    expect(decide(done, fleet(canary, all('applied')), remembered)).toMatchObject({ action: 'complete', percent: 100 });
  });

  it('has ended where the update is withdrawn, which a timer may meet again and again', () => {
    const withdrawn = { ...at(0), update: { ...canary, withdrawn: true } };
    const reports = fleet(canary, ['failed', 'failed', ...all('applied').slice(2)]);
    expect(decide(withdrawn, reports, undefined)).toMatchObject({
      action: 'ended',
      because: 'it is withdrawn; 8 machines still report it',
      remember: { okSince: null },
    });
  });

  it('does not judge what is for another group', () => {
    const other = { ...at(0), update: updateNumber(1) };
    expect(() => decide(other, [], undefined)).toThrow(expect.objectContaining({ code: 'OTHER_GROUP' }));
  });

  it('does not begin by itself where it is offered to nobody, and says so', () => {
    const nobody = { ...at(0), update: updateNumber(1, { percent: 0 }), rule: parseRule('all: 90% ok for 0s') };
    const decided = decide(nobody, [report(newMachine(), [])], undefined);
    expect(decided).toMatchObject({ action: 'wait', remember: { okSince: null } });
    expect(decided.because).toContain('it is offered to no machine');
  });

  it('counts nobody but machines that it is offered to', () => {
    const stranger = report(newMachine(), [], { group: 'other' });
    const elsewhere = report(newMachine(), [outcomeReport(canary, 'failed')], { base: 'other', group: 'canary' });
    const { summary } = decide(at(0), [...fleet(canary, all('applied')), stranger, elsewhere], undefined);
    expect(summary).toMatchObject({ offered: 10, done: 10, failed: 0, waiting: 0 });
  });

  it('is remembered until it is withdrawn', async () => {
    const directory = realpathSync(mkdtempSync(join(tmpdir(), 'lamina-rollout-')));
    onTestFinished(() => {
      rmSync(directory, { recursive: true });
    });
    const file = fromText(join(directory, 'rollouts.json'));
    const value = { rule: ruleText, percent: 10, okSince: null };
    await rememberRollout(file, 'one', value);
    await rememberRollout(file, '__proto__', value);
    expect([rememberedOf(file, 'one'), rememberedOf(file, 'two')]).toEqual([value, undefined]);
    await rememberRollout(file, 'one', undefined);
    expect(rememberedOf(file, 'one')).toBeUndefined();
    // Timers of several updates may run at the same time.
    const names = Array.from({ length: 8 }, (_, i) => `u${i}`);
    await Promise.all(names.map(async (name) => rememberRollout(file, name, value)));
    expect(names.map((name) => rememberedOf(file, name))).toEqual(names.map(() => value));
  });

  it('goes through growing percentages', () => {
    expect(parseSteps('1,10, 50.5,100')).toEqual([1, 10, 50.5, 100]);
    for (const text of ['', '0', '10,10', '50,10', '101', 'ten', '10,'])
      expect(() => parseSteps(text)).toThrow(expect.objectContaining({ exitCode: 2 }));
  });
});

describe('the summary of a fleet', () => {
  it('counts what is done, failed, waiting and rolled back, and takes older updates as done', () => {
    const [old, withdrawn, fresh] = [updateNumber(1), updateNumber(2, { withdrawn: true }), updateNumber(60)];
    const reports = [
      report(machines[0]!, [outcomeReport(withdrawn, 'rolled-back'), outcomeReport(fresh, 'applied')]),
      report(machines[1]!, [outcomeReport(fresh, 'already')]),
      report(machines[2]!, [outcomeReport(old, 'applied'), outcomeReport(withdrawn, 'applied')]),
      report(machines[3]!, [outcomeReport(fresh, 'waiting')]),
      // Another package of the same number: that of another channel.
      report(machines[4]!, [{ ...outcomeReport(fresh, 'applied'), sha256: 'f'.repeat(64) }]),
    ];
    expect(summariesOf(stateOf(old, withdrawn, fresh), reports)).toMatchObject([
      { name: 'u60', offered: 5, done: 2, failed: 0, waiting: 3 },
      { name: 'u2', offered: 2, done: 1, rolledBack: 1, waiting: 0, remaining: 1 },
      { name: 'u1', offered: 5, done: 4, waiting: 1 },
    ]);
  });
});
