import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isOfferedTo } from '../../../src/channel/index.js';
import type { ChannelUpdate } from '../../../src/channel/index.js';

const update = (fields: Partial<ChannelUpdate> = {}): ChannelUpdate => ({
  sequence: 1,
  name: 'one',
  base: 'debian',
  package: { path: 'x.tar', sha256: 'a'.repeat(64), bytes: 1 },
  group: null,
  percent: 0,
  withdrawn: false,
  withNewer: false,
  from: null,
  to: null,
  publishedAt: '2026-01-01T00:00:00.000Z',
  ...fields,
});
const machine = (id: string, group: string | null = null) => ({ id, group });

describe('who is offered an update', () => {
  it('stays so when the percentage is raised', () => {
    const percent = fc.double({ min: 0, max: 100, noNaN: true });
    fc.assert(
      fc.property(fc.string(), fc.string(), percent, percent, (id, name, a, b) => {
        const [low, high] = [Math.min(a, b), Math.max(a, b)];
        if (!isOfferedTo(machine(id), update({ name, percent: low }))) return true;
        return isOfferedTo(machine(id), update({ name, percent: high }));
      }),
    );
  });

  it('is everybody at 100 and nobody at 0, and nobody where it was withdrawn', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (id, name) => {
        expect(isOfferedTo(machine(id), update({ name, percent: 100 }))).toBe(true);
        expect(isOfferedTo(machine(id), update({ name, percent: 0 }))).toBe(false);
        expect(isOfferedTo(machine(id, 'g'), update({ name, percent: 100, group: 'g', withdrawn: true }))).toBe(false);
      }),
    );
  });

  it('is the group, and of others the share; no machine without a group is of one', () => {
    expect(isOfferedTo(machine('m', 'canary'), update({ group: 'canary' }))).toBe(true);
    expect(isOfferedTo(machine('m', 'other'), update({ group: 'canary' }))).toBe(false);
    expect(isOfferedTo(machine('m'), update({ group: null }))).toBe(false);
  });

  it('is about the share that it says, of other machines for each update', () => {
    const offered = (name: string) =>
      Array.from({ length: 10_000 }, (_, i) => isOfferedTo(machine(`machine-${i}`), update({ name, percent: 10 })));
    const count = (each: readonly boolean[]) => each.filter(Boolean).length;
    const [one, two] = [offered('one'), offered('two')];
    // 10 standard deviations of a binomial distribution are 300.
    for (const each of [one, two]) expect(Math.abs(count(each) - 1000)).toBeLessThan(300);
    expect(count(one.map((is, i) => is && two[i] === true))).toBeLessThan(300);
  });

  it('has its place by the formula of docs/format-channel.md', () => {
    // printf 'm\\0one' | sha256sum begins with e857d9e96260, which is 90.759… % of all numbers of 48 bits.
    expect(isOfferedTo(machine('m'), update({ percent: 90.759 }))).toBe(false);
    expect(isOfferedTo(machine('m'), update({ percent: 90.76 }))).toBe(true);
  });
});
