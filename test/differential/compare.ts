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

/** Layers as the kernel makes them: each is the upper of a mount over those before it. Topmost first. */
export function makeLayers(base: string, count: number, operations: number, random: Random): string[] {
  const bottom = join(base, 'layer-0');
  mkdirSync(bottom, { recursive: true });
  const change = (root: string) => {
    const operation = randomOperation(random);
    if (!isLeftOutOfLayers(operation)) perform(root, operation);
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
  readonly operations: readonly Operation[];
  /** Whole trees are compared after so many operations, and at the end. */
  readonly compareEvery: number;
  readonly subject: Driver;
  /** Whether laminafs gets the lowers' indexes, as from a store, or reads their directories. */
  readonly indexed: boolean;
  /** Drivers that must see in either upper what was seen when it was written. */
  readonly readers: readonly Driver[];
}

/** `count` operations that the seed decides. */
export function randomOperations(seed: number, count: number): Operation[] {
  const random = new Random(seed);
  return Array.from({ length: count }, () => randomOperation(random));
}

/** Performs the same operations on a kernel overlay and on the subject over equal layers, and compares all along. */
export async function compare(options: Comparison): Promise<void> {
  const random = new Random(options.seed);
  const lowers = makeLayers(join(options.directory, 'layers'), options.layers, 60, random);
  const indexes = options.indexed ? await indexesOf(options.directory, lowers) : undefined;
  const left = makeStack(join(options.directory, 'kernel'), lowers);
  const right = makeStack(join(options.directory, 'subject'), lowers, indexes);
  const history: Operation[] = [];
  const both = (use: () => void) => {
    kernel.mount(left);
    try {
      options.subject.mount(right);
      try {
        use();
      } finally {
        options.subject.unmount(right);
      }
    } finally {
      kernel.unmount(left);
    }
  };
  both(() => {
    compareTrees('before the first operation', left.mountpoint, right.mountpoint, history);
    for (const [i, operation] of options.operations.entries()) {
      history.push(operation);
      const [a, b] = [perform(left.mountpoint, operation), perform(right.mountpoint, operation)];
      if (a !== b) throw new Difference(`operation ${i} of seed ${options.seed}`, [a], [b], history);
      settle([left.mountpoint, right.mountpoint], operation, a);
      if ((i + 1) % options.compareEvery === 0)
        compareTrees(`after operation ${i} of seed ${options.seed}`, left.mountpoint, right.mountpoint, history);
    }
    compareTrees(`at the end of seed ${options.seed}`, left.mountpoint, right.mountpoint, history);
  });
  both(() => {
    compareTrees(`after a remount, seed ${options.seed}`, left.mountpoint, right.mountpoint, history);
  });
  for (const reader of options.readers) compareReader(reader, options, right, history);
}

/** Mounts what each driver wrote by another driver. */
function compareReader(reader: Driver, options: Comparison, { lowers, indexes }: Stack, history: Operation[]): void {
  const seen = ['kernel', 'subject'].map((side) => {
    const base = join(options.directory, side);
    const copy = join(options.directory, `${side}-read`);
    execFileSync('rm', ['-rf', copy]);
    const stack = makeStack(copy, lowers, indexes);
    execFileSync('cp', ['-aT', join(base, 'upper'), stack.upper]);
    reader.mount(stack);
    try {
      return snapshot(stack.mountpoint);
    } finally {
      reader.unmount(stack);
    }
  });
  const [a, b] = seen as [string[], string[]];
  if (a.join('\n') !== b.join('\n'))
    throw new Difference(`read by ${reader.name}, seed ${options.seed}`, a, b, history);
}
