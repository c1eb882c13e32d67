import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import type { BytePath } from '../../src/base/byte-path.js';
import { encodeIndex } from '../../src/store/node-index/writer.js';
import { scanTree } from '../../src/store/node-index/scan.js';
import { kernel, makeStack, plainKernel } from './drivers.js';
import type { Driver, Stack } from './drivers.js';
import { isLeftOutOfLayers, settle } from './known-differences.js';
import { perform, randomOperation } from './operations.js';
import type { Operation } from './operations.js';
import { Random } from './random.js';
import { snapshot } from './snapshot.js';

/**
 * Layers as the kernel makes them: each is the upper of a mount over those before it. Topmost first. Of `parts`,
 * directories of the root, each gets a tree of its own.
 */
async function makeLayers({ directory, layers: count, seed, parts, linked = false }: Comparison): Promise<string[]> {
  const random = new Random(seed);
  const base = join(directory, 'layers');
  const bottom = join(base, 'layer-0');
  const roots = parts ?? ['.'];
  for (const part of roots) mkdirSync(join(bottom, part), { recursive: true });
  const operations = 60 * roots.length;
  const change = (root: string) => {
    const operation = randomOperation(random);
    if (linked || !isLeftOutOfLayers(operation)) perform(join(root, random.pick(roots)), operation);
  };
  for (let i = 0; i < operations; i++) change(bottom);
  let lowers = [bottom];
  for (let layer = 1; layer < count; layer++) {
    const stack = makeStack(join(base, `layer-${layer}`), lowers);
    await kernel.mount(stack);
    try {
      for (let i = 0; i < operations; i++) change(stack.mountpoint);
    } finally {
      await kernel.unmount(stack);
    }
    lowers = [stack.upper, ...lowers];
  }
  return lowers;
}

/** What differed, in a form from which a person can start to look for the cause. */
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

/** What a comparison looks at of a tree. */
const seen = (root: string, { linked = false, indexed }: Comparison) => snapshot(root, !linked || !indexed);

function compareTrees(
  what: string,
  { kernel: left, subject: right }: Sides,
  options: Comparison,
  history: readonly Operation[],
): void {
  const [a, b] = [seen(left, options), seen(right, options)];
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
  /** Whether the layers have hard links. With indexes they stay together, else each name is copied up for itself. */
  readonly linked?: boolean | undefined;
  /** Drivers that must see in either upper what was seen when it was written. */
  readonly readers: readonly Driver[];
}

/** The same layers below a kernel overlay and below the subject. */
interface Sides {
  readonly kernel: string;
  readonly subject: string;
}

/** Mounts both sides again; `killed`: the subject's driver dies without a word before. What was there must be there. */
type Again = (killed: boolean) => Promise<void>;

/**
 * Lets `change` do the same on both mounts, and compares what is there before, after, after a remount, and by other
 * drivers.
 */
export async function compareAround(
  options: Comparison,
  history: readonly Operation[],
  change: (mounts: Sides, again: Again) => void | Promise<void>,
): Promise<void> {
  const lowers = await makeLayers(options);
  const indexes = options.indexed ? await indexesOf(options.directory, lowers) : undefined;
  const left = makeStack(join(options.directory, 'kernel'), lowers);
  const right = makeStack(join(options.directory, 'subject'), lowers, indexes);
  const mounts = { kernel: left.mountpoint, subject: right.mountpoint };
  const same = (when: string) => {
    compareTrees(`${when} seed ${String(options.seed)}`, mounts, options, history);
  };
  // Without an index laminafs takes the names of a lower's file for files of their own, as the kernel does without its.
  const oracle = options.linked === true && !options.indexed ? plainKernel : kernel;
  const again: Again = async (killed) => {
    await oracle.unmount(left);
    await oracle.mount(left);
    const dies = killed && options.subject.kill !== undefined;
    if (dies) options.subject.kill?.(right);
    else await options.subject.unmount(right);
    await options.subject.mount(right);
    same(`after ${dies ? "the driver's death" : 'a remount'} in the middle of`);
  };
  const both = async (use: () => void | Promise<void>) => {
    await oracle.mount(left);
    try {
      await options.subject.mount(right);
      try {
        await use();
      } finally {
        await options.subject.unmount(right);
      }
    } finally {
      await oracle.unmount(left);
    }
  };
  await both(async () => {
    same('before the first operation of');
    await change(mounts, again);
    same('at the end of');
  });
  await both(() => {
    same('after a remount,');
  });
  for (const reader of options.readers) await compareReader(reader, options, right, history);
}

/** What another driver sees in a copy of a side's upper. */
async function readBy(
  reader: Driver,
  options: Comparison,
  { lowers, indexes }: Stack,
  side: string,
): Promise<string[]> {
  const { directory } = options;
  const copy = join(directory, `${side}-read`);
  execFileSync('rm', ['-rf', copy]);
  const stack = makeStack(copy, lowers, indexes);
  execFileSync('cp', ['-aT', join(directory, side, 'upper'), stack.upper]);
  return snapshotOf(reader, stack, options);
}

async function snapshotOf(driver: Driver, stack: Stack, options: Comparison): Promise<string[]> {
  await driver.mount(stack);
  try {
    return seen(stack.mountpoint, options);
  } finally {
    await driver.unmount(stack);
  }
}

/**
 * Mounts what each driver wrote by another driver. Of linked layers with indexes the kernel's own upper says less than
 * it showed, without its index: there the reader must see in the subject's upper what the subject shows.
 */
async function compareReader(
  reader: Driver,
  options: Comparison,
  stack: Stack,
  history: readonly Operation[],
): Promise<void> {
  const b = await readBy(reader, options, stack, 'subject');
  const together = options.linked === true && options.indexed;
  const a = await (together ? snapshotOf(options.subject, stack, options) : readBy(reader, options, stack, 'kernel'));
  if (a.join('\n') !== b.join('\n'))
    throw new Difference(`read by ${reader.name}, seed ${options.seed}`, a, b, history);
}

/**
 * Performs each operation on a kernel overlay and on the subject, one after the other, and compares what it answers.
 * Whole trees are compared every so often, after a remount each time or, every other time, after the driver was killed.
 */
export async function compare(options: Comparison, operations: readonly Operation[], every: number): Promise<void> {
  const history: Operation[] = [];
  await compareAround(options, history, async (mounts, again) => {
    for (const [i, operation] of operations.entries()) {
      history.push(operation);
      const [a, b] = [perform(mounts.kernel, operation), perform(mounts.subject, operation)];
      if (a !== b) throw new Difference(`operation ${i} of seed ${options.seed}`, [a], [b], history);
      settle([mounts.kernel, mounts.subject], operation, a);
      if ((i + 1) % every !== 0) continue;
      compareTrees(`after operation ${i} of seed ${options.seed}`, mounts, options, history);
      await again(((i + 1) / every) % 2 === 0);
    }
  });
}
