import { describe, expect, it } from 'vitest';
import type { ChannelUpdate } from '../../../src/channel/index.js';
import type { Outcome } from '../../../src/agent/outcomes.js';
import { keyOfUpdate, nextStep } from '../../../src/agent/plan.js';
import type { Situation } from '../../../src/agent/plan.js';
import { updateReports } from '../../../src/agent/state-report.js';
import { outcomeReport, stateOf, updateNumber } from '../../support/fleet.js';

const [one, two, three] = [updateNumber(1), updateNumber(2), updateNumber(3)];

/** @param has the updates that are in force here */
function situation(updates: ChannelUpdate[], has: ChannelUpdate[], more: Partial<Situation> = {}): Situation {
  return {
    machine: { id: 'm-1', group: null },
    state: stateOf(...updates),
    after: 0,
    inForce: new Map(has.map((update) => [keyOfUpdate(update), `u-${update.name}`])),
    version: null,
    outcomes: { outcomes: [], undoing: null },
    retry: false,
    ...more,
  };
}
const outcome = (update: ChannelUpdate, what: Outcome['outcome'], more: Partial<Outcome> = {}): Outcome => ({
  ...outcomeReport(update, what),
  update: null,
  again: false,
  channel: 7,
  ...more,
});
const after = (...outcomes: Outcome[]) => ({ outcomes: { outcomes, undoing: null } });
const step = (of: Situation) => {
  const next = nextStep(of);
  return next === undefined ? 'nothing' : `${next.kind === 'stuck' ? next.stuck.code : next.kind} ${next.update.name}`;
};

describe('what a machine does next', () => {
  it('is to apply the oldest update that it lacks', () => {
    expect(step(situation([one, two, three], []))).toBe('apply u1');
    expect(step(situation([one, two, three], [one]))).toBe('apply u2');
    expect(step(situation([one, two, three], [one, two, three]))).toBe('nothing');
  });

  it('is to roll back what was withdrawn, newest first, before anything else', () => {
    const [gone, alsoGone] = [updateNumber(1, { withdrawn: true }), updateNumber(2, { withdrawn: true })];
    expect(step(situation([gone, alsoGone, three], [gone, alsoGone]))).toBe('undo u2');
    expect(step(situation([gone, alsoGone, three], [gone]))).toBe('undo u1');
    expect(step(situation([gone, alsoGone, three], []))).toBe('apply u3');
  });

  it('is nothing new behind an update that is not offered to it', () => {
    const canary = updateNumber(2, { group: 'canary', percent: 0 });
    expect(step(situation([one, canary, three], [one]))).toBe('NOT_OFFERED u2');
    const machine = { id: 'm-1', group: 'canary' };
    expect(step(situation([one, canary, three], [one], { machine }))).toBe('apply u2');
  });

  it('is nothing new behind one that failed, until that is withdrawn, passes by itself, or is to be tried again', () => {
    const failed = after(outcome(two, 'failed'));
    expect(step(situation([one, two, three], [one], failed))).toBe('FAILED_HERE u2');
    expect(step(situation([one, two, three], [one], { ...failed, retry: true }))).toBe('apply u2');
    expect(step(situation([one, two, three], [one], after(outcome(two, 'failed', { again: true }))))).toBe('apply u2');
    expect(step(situation([one, updateNumber(2, { withdrawn: true }), three], [one], failed))).toBe('apply u3');
    // The channel was made anew: another update has its number.
    const other = updateNumber(2, { name: 'other' });
    expect(step(situation([one, other], [one], failed))).toBe('apply other');
  });

  it('is nothing where a person rolled an update back, or it changed nothing', () => {
    expect(step(situation([one, two], [], after(outcome(one, 'applied', { update: 'u-1' }))))).toBe(
      'ROLLED_BACK_HERE u1',
    );
    expect(step(situation([one, two], [], after(outcome(one, 'unchanged'))))).toBe('apply u2');
  });

  it('is to try a rollback that failed again when the channel says something new', () => {
    const gone = updateNumber(1, { withdrawn: true });
    expect(step(situation([gone, two], [gone, two], after(outcome(gone, 'failed'))))).toBe('NOT_ROLLED_BACK u1');
    expect(step(situation([gone, two], [gone, two], after(outcome(gone, 'failed', { channel: 6 }))))).toBe('undo u1');
    expect(step(situation([gone, two], [gone, two], after(outcome(gone, 'waiting', { again: true }))))).toBe('undo u1');
  });

  it('leaves out what the base had when it was imported', () => {
    const [to1, to2] = [updateNumber(1, { to: '12.1' }), updateNumber(2, { to: '12.2' })];
    expect(step(situation([to1, to2], [], { version: '12.1' }))).toBe('apply u2');
    expect(step(situation([to1, to2], [], { version: '12.10' }))).toBe('nothing');
    expect(step(situation([to1, to2], [], { version: null }))).toBe('apply u1');
    expect(step(situation([one, two, three], [], { after: 2 }))).toBe('apply u3');
  });
});

describe('what a machine reports', () => {
  const outcomesOf = (of: Situation, stuck?: Parameters<typeof updateReports>[1]) =>
    updateReports(of, stuck).map(({ name, outcome: what, error }) => `${name} ${what} ${error?.code ?? ''}`.trim());

  it('is what became of each update', () => {
    const gone = updateNumber(4, { withdrawn: true });
    const never = updateNumber(5, { withdrawn: true });
    const has = [one, three];
    const more = after(outcome(one, 'applied'), outcome(two, 'failed'), outcome(gone, 'rolled-back'));
    const stuck = { update: 'u2', stuck: { code: 'FAILED_HERE' as const, because: 'it failed' } };
    expect(outcomesOf(situation([one, two, three, gone, never, updateNumber(6)], has, more), stuck)).toEqual([
      'u1 applied',
      'u2 failed UNHEALTHY',
      'u3 applied',
      'u4 rolled-back',
      'u6 waiting FAILED_HERE',
    ]);
  });

  it('is not that an update is in force which a person rolled back', () => {
    expect(outcomesOf(situation([one, two], [], after(outcome(one, 'applied'))))).toEqual([
      'u1 rolled-back ROLLED_BACK_HERE',
      'u2 waiting',
    ]);
  });

  it('leaves out what is not offered to it, and counts what the base had', () => {
    const canary = updateNumber(2, { group: 'canary', percent: 0 });
    expect(outcomesOf(situation([one, canary], [], { after: 1 }))).toEqual(['u1 already']);
  });
});
