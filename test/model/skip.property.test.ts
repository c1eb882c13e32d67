import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  View,
  alignTimes,
  compareViews,
  computeDelta,
  covered,
  SkipRule,
  withTimes,
} from '../../src/changeset/index.js';
import { longTimeout, numRuns } from '../unit/changeset/arbitrary.js';
import { planListing } from '../unit/changeset/flat.js';
import { cases, runOn, times, worldOf } from './cases.js';
import type { Case } from './cases.js';
import { copyOf } from './machine.js';
import type { Program } from './programs.js';

/** Skipped ones, distinguished by whether their storages would hide what was written. */
type Verdict = 'run' | 'pinned' | 'copied';

function judge({ base, doings, copies, procedure }: Case): Verdict {
  const { root, layers, storages, container } = worldOf({ base, doings, copies });
  const onBase = runOn(copyOf(root), times.runOnBase, procedure, layers);
  const { written } = onBase;
  const rule = new SkipRule({ layers, reads: onBase.machine.reads(), written });
  if (rule.overlap(storages) !== undefined) return 'run';

  const inContainer = runOn(container, times.runInContainer, procedure, [...storages, ...layers]);
  const moved = alignTimes(inContainer.written, inContainer.span, onBase);
  const wanted = new View([withTimes(inContainer.written, moved), ...storages, ...layers]);
  const pinned = new View([...storages, written, ...layers]);
  const copied = rule.hiddenWrites(storages);
  if (copied === undefined) {
    expect(compareViews(wanted, pinned)).toEqual([]);
    return 'pinned';
  }
  const target = new View([copied, ...storages, ...layers]);
  const plan = computeDelta({ target, base: pinned, covered: covered(target, pinned, [copied, written]) });
  expect(compareViews(wanted, new View([planListing(plan, target), ...pinned.stack]))).toEqual([]);
  return 'copied';
}

/** A container with a file of its own in a directory that holds it only to carry others. */
const within = (path: string, procedure: Program): Case => ({
  base: [],
  doings: [[{ kind: 'write', path, text: 'own' }]],
  copies: [],
  procedure,
});

describe('a container that is skipped', () => {
  it.each<[string, Case]>([
    [
      'removes a directory that is empty on the base, and makes it again',
      within('d/a/own', [
        { kind: 'remove', path: 'd/a' },
        { kind: 'mkdir', path: 'd/a' },
      ]),
    ],
    [
      'moves one over a directory that is empty on the base',
      within('d/a/own', [{ kind: 'move', from: 'b', to: 'd/a' }]),
    ],
    [
      'moves one away and looks into it there, and back',
      within('b/own', [
        { kind: 'move', from: 'b', to: 'e' },
        {
          kind: 'if',
          test: { kind: 'odd', path: 'e' },
          then: [{ kind: 'write', path: 'a/odd', text: 'x' }],
          otherwise: [],
        },
        { kind: 'move', from: 'e', to: 'b' },
      ]),
    ],
  ])('is none where the procedure %s', (_, each) => {
    expect(judge(each)).toBe('run');
  });

  it('gets a copy of what it would hide where the procedure changes a directory that it holds only to carry others', () => {
    expect(judge(within('d/a/own', [{ kind: 'chmod', path: 'd/a', mode: 0o600 }]))).toBe('copied');
  });

  it('gets what running the procedure in it would have made', { timeout: longTimeout }, () => {
    const answers = { run: 0, pinned: 0, copied: 0 };
    fc.assert(
      fc.property(cases, (each) => {
        ++answers[judge(each)];
      }),
      { numRuns: Math.max(numRuns, 10_000) },
    );
    // A rule that never skips would pass as well.
    expect(answers.pinned).toBeGreaterThan(answers.run / 20);
    expect(answers.copied).toBeGreaterThan(answers.run / 100);
  });
});
