import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { View, compareViews, SkipRule } from '../../src/changeset/index.js';
import { numRuns } from '../unit/changeset/arbitrary.js';
import { cases, deltaTo, worldOf } from './cases.js';
import type { Case } from './cases.js';
import { Machine, copyOf, listingOfRoot } from './machine.js';
import { run } from './programs.js';
import type { Program } from './programs.js';

function judge({ base, doings, copies, procedure }: Case): 'run' | 'skipped' {
  const { root, layers, storages, container } = worldOf({ base, doings, copies });
  const serviced = copyOf(root);
  const machine = new Machine(serviced);
  run(machine, procedure);
  const written = deltaTo(serviced, layers);
  if (new SkipRule({ layers, reads: machine.reads(), written }).meetingPath(storages) !== undefined) return 'run';

  run(new Machine(container), procedure);
  const changes = compareViews(new View([listingOfRoot(container)]), new View([...storages, written, ...layers]));
  expect(changes).toEqual([]);
  return 'skipped';
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
    ['changes the mode of one', within('d/a/own', [{ kind: 'chmod', path: 'd/a', mode: 0o600 }])],
  ])('is none where the procedure %s', (_, each) => {
    expect(judge(each)).toBe('run');
  });

  it('gets what running the procedure in it would have made', { timeout: 120_000 }, () => {
    const answers = { run: 0, skipped: 0 };
    fc.assert(
      fc.property(cases, (each) => {
        ++answers[judge(each)];
      }),
      { numRuns: Math.max(numRuns, 10_000) },
    );
    // A rule that never skips would pass as well.
    expect(answers.skipped).toBeGreaterThan((answers.run + answers.skipped) / 20);
  });
});
