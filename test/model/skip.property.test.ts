import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { View, compareViews, computeDelta, covered, SkipRule } from '../../src/changeset/index.js';
import type { MemoryListing } from '../../src/changeset/index.js';
import { numRuns } from '../unit/changeset/arbitrary.js';
import { planListing } from '../unit/changeset/flat.js';
import { Machine, copyOf, listingOfRoot, makeInode } from './machine.js';
import type { Inode } from './machine.js';
import { programs, run } from './programs.js';
import type { Program } from './programs.js';

/** The smallest tree that makes `stack` show what `root` holds. */
function deltaTo(root: Inode, stack: readonly MemoryListing[]): MemoryListing {
  const target = new View([listingOfRoot(root)]);
  const base = new View(stack);
  const plan = computeDelta({
    target,
    base,
    covered: covered(target, base, [...target.stack, ...stack] as MemoryListing[]),
  });
  return planListing(plan, target);
}

/** A storage as a driver leaves it: directories that only carry, and files copied up with nothing changed. */
function withCopies(storage: MemoryListing, shown: View, paths: readonly string[]): MemoryListing {
  const made = new Map([...storage.entries()].map((entry) => [entry.path as string, entry]));
  for (const path of paths) {
    const found = shown.get(path as never);
    if (found === undefined || made.has(path)) continue;
    const parents = path.split('/').slice(0, -1);
    if (found.entry.group >= 0) continue;
    const above = parents.map((_, i) => parents.slice(0, i + 1).join('/'));
    for (const each of [...above, path]) {
      const entry = shown.get(each as never)?.entry;
      if (entry && !made.has(each)) made.set(each, { ...entry, path: each as never, opaque: false, group: -1 });
    }
  }
  return new (storage.constructor as typeof MemoryListing)(made.values());
}

interface Case {
  readonly base: Program;
  readonly doings: readonly Program[];
  readonly copies: readonly string[];
  readonly procedure: Program;
}

/** What every base has, so that most commands find something. */
const furniture: Program = [
  ...['a', 'b', 'd', 'own', 'a/b', 'd/a'].map((path) => ({ kind: 'mkdir' as const, path })),
  ...['a/a', 'a/b/c', 'b/a', 'd/c', 'c'].map((path) => ({ kind: 'write' as const, path, text: 'w' })),
  { kind: 'link', from: 'a/a', to: 'd/d' },
  { kind: 'symlink', target: '/a', path: 'd/b' },
];

function judge({ base, doings, copies, procedure }: Case): 'run' | 'skipped' {
  const root = makeInode('directory');
  run(new Machine(root), [...furniture, ...base]);
  const layers = [listingOfRoot(root)];
  const storages: MemoryListing[] = [];
  const container = copyOf(root);
  for (const doing of doings) {
    run(new Machine(container), doing);
    const delta = deltaTo(container, [...storages, ...layers]);
    storages.unshift(withCopies(delta, new View([delta, ...storages, ...layers]), copies));
  }
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

const anywhere = ['a', 'b', 'c', 'd'];
const cases = fc.record({
  base: programs(anywhere, 14),
  // Now here, now in a part of its own, so that both answers come often.
  doings: fc.array(fc.oneof(programs(anywhere, 3), programs(['own', 'd'], 4)), { minLength: 1, maxLength: 2 }),
  copies: fc.array(fc.constantFrom('a', 'b', 'c/a', 'd/b', 'd'), { maxLength: 1 }),
  procedure: fc.oneof(programs(anywhere, 6), programs(['a', 'b'], 6)),
});

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
