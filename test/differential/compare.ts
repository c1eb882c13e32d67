import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import type { BytePath } from '../../src/base/byte-path.js';
import { encodeIndex } from '../../src/store/node-index/writer.js';
import { scanTree } from '../../src/store/node-index/scan.js';
import { kernel, makeStack } from './drivers.js';
import type { Driver, Stack } from './drivers.js';
import { isLeftOutOfLayers, settle } from './known-differences.js';
import { perform, randomOperation } from './operations.js';
import type { Operation } from './operations.js';
import { Random } from './random.js';
import { snapshot } from './snapshot.js';

/**
 * Layers as the kernel makes them: each is the upper of a mount over those before it. Topmost first. Of `parts`, directories of the root,
 * each gets a tree of its own.
 */
function makeLayers({ directory, layers: count, seed, parts, linked = false }: Comparison): string[] {
  const random = new Random(seed);
  const base = join(directory, 'layers');
  const bottom = join(base, 'layer-0');
  const roots = parts ?? ['.'];
  for (const part of roots) mkdirSync(join(bottom, part), { recursive: true });
  const operations = 60 * roots.length;
  const change = (root: string) => {
    const operation = randomOperation(random);
    if (!isLeftOutOfLayers(operation, linked)) perform(join(root, random.pick(roots)), operation);
  };
  for (let i = 0; i < operations; i++) change(bottom);
  let lowers = [bottom];
  for (let layer = 1; layer < count; layer++) {
    const stack = makeStack(join(base, `layer-${layer}`), lowers);
    kernel.mount(stack);
    try {
      for (let i = 0; i < operations; i++) change(stack.mountpoint);
    } finally {
      kernel.unmount(stack);
    }
    lowers = [stack.upper, ...lowers];
  }
  return lowers;
}

/** What went differently, told so that a person can go on from there. */
export class Difference extends Error {
  constructor(what: string, left: readonly string[], right: readonly string[], history: readonly Operation[]) {
    const only = (a: readonly string[], b: readonly string[]) => a.filter((line) => !b.includes(line)).slice(0, 20);
    super(
      `${what}\nonly the kernel:\n  ${only(left, right).join('\n  ')}\nonly laminafs:\n  ${only(right, left).join('\n  ')}\n` +
        `last operations:\n  ${history
          .slice(-8)
          .map((operation) => JSON.stringify(operation))
          .join('\n  ')}`,
    );
  }
}

function compareTrees(what: string, left: string, right: string, history: readonly Operation[]): void {
  const [a, b] = [snapshot(left), snapshot(right)];
  if (a.join('\n') !== b.join('\n')) throw new Difference(what, a, b, history);
}

/** The indexes that the layers have in a store. */
async function indexesOf(directory: string, lowers: readonly string[]): Promise<string[]> {
  const indexes: string[] = [];
  for (const [i, tree] of lowers.entries()) {
    const path = join(directory, `index-${i}`);
    writeFileSync(path, await encodeIndex(await scanTree(tree as BytePath, { hash: true })));
    indexes.push(path);
  }
  return indexes;
}

export interface Comparison {
  readonly directory: string;
  /** Decides the layers. */
  readonly seed: number;
  readonly layers: number;
  /** Where whole trees are made and changed; without them in the root itself. */
  readonly parts?: readonly string[];
  readonly subject: Driver;
  /** Whether laminafs gets the lowers' indexes, as from a store, or reads their directories. */
  readonly indexed: boolean;
  /** Whether the layers have hard links; with indexes only. */
  readonly linked?: boolean;
  /** Drivers that must see in either upper what was seen when it was written. */
  readonly readers: readonly Driver[];
}

/** The same layers below a kernel overlay and below the subject. */
interface Sides {
  readonly kernel: string;
  readonly subject: string;
}

/** Lets `change` do the same on both mounts, and compares what is there before, after, after a remount, and by other drivers. */
export async function compareAround(
  options: Comparison,
  history: readonly Operation[],
  change: (mounts: Sides) => void | Promise<void>,
): Promise<void> {
  const lowers = makeLayers(options);
  const indexes = options.indexed ? await indexesOf(options.directory, lowers) : undefined;
  const left = makeStack(join(options.directory, 'kernel'), lowers);
  const right = makeStack(join(options.directory, 'subject'), lowers, indexes);
  const same = (when: string) => {
    compareTrees(`${when} seed ${String(options.seed)}`, left.mountpoint, right.mountpoint, history);
  };
  const both = async (use: () => void | Promise<void>) => {
    kernel.mount(left);
    try {
      options.subject.mount(right);
      try {
        await use();
      } finally {
        options.subject.unmount(right);
      }
    } finally {
      kernel.unmount(left);
    }
  };
  await both(async () => {
    same('before the first operation of');
    await change({ kernel: left.mountpoint, subject: right.mountpoint });
    same('at the end of');
  });
  await both(() => {
    same('after a remount,');
  });
  for (const reader of options.readers) compareReader(reader, options, right, history);
}

/** What another driver sees in a copy of a side's upper. */
function readBy(reader: Driver, { directory }: Comparison, { lowers, indexes }: Stack, side: string): string[] {
  const copy = join(directory, `${side}-read`);
  execFileSync('rm', ['-rf', copy]);
  const stack = makeStack(copy, lowers, indexes);
  execFileSync('cp', ['-aT', join(directory, side, 'upper'), stack.upper]);
  return snapshotOf(reader, stack);
}

function snapshotOf(driver: Driver, stack: Stack): string[] {
  driver.mount(stack);
  try {
    return snapshot(stack.mountpoint);
  } finally {
    driver.unmount(stack);
  }
}

/**
 * Mounts what each driver wrote by another driver. Of linked layers the kernel's own upper tells less than it showed, without its
 * index: there the reader must see in the subject's upper what the subject shows.
 */
function compareReader(reader: Driver, options: Comparison, stack: Stack, history: readonly Operation[]): void {
  const b = readBy(reader, options, stack, 'subject');
  const a = options.linked === true ? snapshotOf(options.subject, stack) : readBy(reader, options, stack, 'kernel');
  if (a.join('\n') !== b.join('\n'))
    throw new Difference(`read by ${reader.name}, seed ${options.seed}`, a, b, history);
}

/** Performs each operation on a kernel overlay and on the subject, one after the other, and compares what it answers. Whole trees are compared every so often. */
export async function compare(options: Comparison, operations: readonly Operation[], every: number): Promise<void> {
  const history: Operation[] = [];
  await compareAround(options, history, (mounts) => {
    for (const [i, operation] of operations.entries()) {
      history.push(operation);
      const [a, b] = [perform(mounts.kernel, operation), perform(mounts.subject, operation)];
      if (a !== b) throw new Difference(`operation ${i} of seed ${options.seed}`, [a], [b], history);
      settle([mounts.kernel, mounts.subject], operation, a);
      if ((i + 1) % every === 0)
        compareTrees(`after operation ${i} of seed ${options.seed}`, mounts.kernel, mounts.subject, history);
    }
  });
}
