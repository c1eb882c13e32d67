import { mkdirSync } from 'node:fs';
import { display, toBuffer } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { messageOf } from '../base/errors.js';
import { warn } from '../base/this-command.js';
import { mountAt, readMountInfo } from '../platform/mountinfo.js';
import { engineOf } from './engine.js';
import type { Engine, EngineName, MountRequest, Upper } from './engine.js';
import { fuseEngine } from './fuse-engine.js';
import { kernelEngine } from './kernel/kernel-engine.js';
import { unmountUnlessUsed } from './unmount.js';

const engines: Readonly<Record<EngineName, Engine>> = { fuse: fuseEngine, kernel: kernelEngine };

/** Mounts a stack. @throws LaminaError failed, refused: why the engine cannot; nothing is mounted */
export async function mountStack(request: MountRequest): Promise<void> {
  await engines[request.engine ?? 'fuse'].mount(request);
}

/**
 * Unmounts, and waits until the last byte is written.
 * @param upper undefined: there is none, or nobody waits
 * @throws LaminaError refused: it is in use (by whom, as far as /proc shows)
 */
export async function unmountStack(
  mountpoint: BytePath,
  upper: Upper | undefined,
  options: { lazy?: boolean } = {},
): Promise<void> {
  const engine = await engineAt(mountpoint);
  await unmountUnlessUsed(mountpoint, options);
  if (upper !== undefined) await engine.ended(mountpoint, upper);
}

/** `Engine.unmountOwn` of a mount. */
export async function unmountOwn(mountpoint: BytePath, upper: Upper): Promise<void> {
  await (await engineAt(mountpoint)).unmountOwn(mountpoint, upper);
}

/** `Engine.unmountElsewhere`. */
export async function unmountElsewhere(
  engine: EngineName,
  { mountpoint, upper, what }: { readonly mountpoint: BytePath; readonly upper: Upper; readonly what: string },
): Promise<void> {
  await engines[engine].unmountElsewhere(mountpoint, upper, what);
}

async function engineAt(mountpoint: BytePath): Promise<Engine> {
  const entry = mountAt(await readMountInfo(), mountpoint);
  return engines[entry === undefined ? 'fuse' : engineOf(entry)];
}

/** A mount that only this process uses. */
export interface OwnMount {
  readonly mountpoint: BytePath;
  readonly upper: Upper;
}

/**
 * Works with a mount that only this process uses, and unmounts it. Where both fail, the error of the work is thrown:
 * the mount is in a transaction, which unmounts what is left in it.
 */
export async function withOwnMount<T>({ mountpoint, upper }: OwnMount, use: () => T | Promise<T>): Promise<T> {
  let result: T;
  try {
    result = await use();
  } catch (error) {
    try {
      await unmountOwn(mountpoint, upper);
    } catch (busy) {
      warn(`cannot unmount ${display(mountpoint)} while it is in use: ${messageOf(busy)}`);
    }
    throw error;
  }
  await unmountOwn(mountpoint, upper);
  return result;
}

/** An empty directory to mount on. */
export function makeMountpoint(path: BytePath): void {
  mkdirSync(toBuffer(path), { recursive: true, mode: 0o700 });
}
