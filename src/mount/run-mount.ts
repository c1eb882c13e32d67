import { mkdirSync } from 'node:fs';
import { toBuffer } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import type { Entry } from '../changeset/index.js';
import { makePlainDirectory } from '../platform/exact.js';
import { makeEmptyTree } from '../store/index.js';
import type { RunDirectory, Transaction } from '../store/index.js';
import { makeMountpoint, mountStack, withOwnMount } from './stack.js';
import { mountByWish, reasonAgainstKernel, reasonOfLinks } from './choose-engine.js';
import type { EngineWish } from './choose-engine.js';
import type { MountRequest } from './engine.js';
import { transactionSource } from './find.js';

/**
 * Makes what a mount below a transaction needs, but for its mount point.
 * @param root the root directory of a fresh upper; undefined: the mount writes into another tree
 */
export function makeRunDirectory(run: RunDirectory, root: Entry | undefined): void {
  mkdirSync(toBuffer(run.directory), { recursive: true, mode: 0o700 });
  if (root !== undefined) makeEmptyTree(run.upper, root);
  makePlainDirectory(run.work);
}

/** Works in a view that is mounted below a transaction, as a container's root would be, and unmounts it. */
export async function withRunMount<T>(
  { store, id }: Pick<Transaction, 'store' | 'id'>,
  run: RunDirectory,
  {
    lowers,
    upper: tree = run.upper,
    engine = 'fuse',
  }: { readonly lowers: MountRequest['lowers']; readonly upper?: BytePath; readonly engine?: EngineWish | undefined },
  use: (root: BytePath) => T | Promise<T>,
): Promise<T> {
  const { mountpoint, work } = run;
  makeMountpoint(mountpoint);
  const source = transactionSource(store, id);
  const upper = { tree, work };
  // What is written into the run's own upper is gone with it.
  const isOwn = tree === run.upper;
  const request = { lowers, upper, mountpoint, source, isVolatile: isOwn, kernel: { keepsLinks: isOwn } };
  const against = () => reasonAgainstKernel(request) ?? (isOwn ? undefined : reasonOfLinks(request));
  await mountByWish(engine, against, async (each) => mountStack({ ...request, engine: each }));
  return withOwnMount({ mountpoint, upper }, async () => use(mountpoint));
}
