import fc from 'fast-check';
import { View, computeDelta, covered } from '../../src/changeset/index.js';
import type { MemoryListing, Span } from '../../src/changeset/index.js';
import { planListing } from '../unit/changeset/flat.js';
import { Machine, copyOf, listingOfRoot, makeInode } from './machine.js';
import type { Inode } from './machine.js';
import { programs, run } from './programs.js';
import type { Program } from './programs.js';

/** The smallest tree that makes `stack` show what `root` holds. */
export function deltaTo(root: Inode, stack: readonly MemoryListing[]): MemoryListing {
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

export interface Case {
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

/** When the machines of a case begin. */
export const times = { base: 0n, container: 1000n, runOnBase: 10_000n, runInContainer: 20_000n };

/** What a run of the procedure leaves: a root, and what it wrote as a tree on what it ran on. */
export interface ModelRun {
  readonly written: MemoryListing;
  readonly span: Span;
  readonly machine: Machine;
}

export function runOn(root: Inode, after: bigint, procedure: Program, stack: readonly MemoryListing[]): ModelRun {
  const machine = new Machine(root, after);
  run(machine, procedure);
  return { written: deltaTo(root, stack), span: { after, until: machine.now }, machine };
}

interface ModelWorld {
  readonly root: Inode;
  readonly layers: readonly MemoryListing[];
  /** Newest first. */
  readonly storages: readonly MemoryListing[];
  readonly container: Inode;
}

/** A base, and a container on it in which something was done. */
export function worldOf({ base, doings, copies }: Omit<Case, 'procedure'>): ModelWorld {
  const root = makeInode('directory');
  run(new Machine(root, times.base), [...furniture, ...base]);
  const layers = [listingOfRoot(root)];
  const storages: MemoryListing[] = [];
  const container = copyOf(root);
  for (const doing of doings) {
    run(new Machine(container, times.container + BigInt(storages.length) * 100n), doing);
    const delta = deltaTo(container, [...storages, ...layers]);
    storages.unshift(withCopies(delta, new View([delta, ...storages, ...layers]), copies));
  }
  return { root, layers, storages, container };
}

const anywhere = ['a', 'b', 'c', 'd'];
export const cases = fc.record({
  base: programs(anywhere, 14),
  // Now here, now in a part of its own, so that both answers come often.
  doings: fc.array(fc.oneof(programs(anywhere, 3), programs(['own', 'd'], 4)), { minLength: 1, maxLength: 2 }),
  copies: fc.array(fc.constantFrom('a', 'b', 'c/a', 'd/b', 'd'), { maxLength: 1 }),
  procedure: fc.oneof(programs(anywhere, 6), programs(['a', 'b'], 6)),
});
