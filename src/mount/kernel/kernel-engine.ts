import { closeSync, openSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { display, toBuffer } from '../../base/bytes.js';
import type { BytePath } from '../../base/bytes.js';
import { isSystemError, refused } from '../../base/errors.js';
import { configure, pickFileSystem, reconfigureFileSystem } from '../../platform/native.js';
import { openFlags } from '../../platform/open-flags.js';
import { engineOf } from '../engine.js';
import type { Engine, Upper } from '../engine.js';
import { unmountIn, unmountUnlessUsed } from '../unmount.js';
import { isKernelUpper } from './in-use.js';
import { mountOverlay } from './mount-overlay.js';
import { mountsElsewhere } from './namespaces.js';

/** A file system that is unmounted may be used for a moment by a program that ends. Milliseconds. */
const endPatience = 1_000;
const endPause = 50;

/**
 * overlayfs: no process serves a mount, so nothing but the mount table and the kernel's own mark on an upper
 * (`isKernelUpper`) says that there is one.
 */
export const kernelEngine: Engine = {
  name: 'kernel',
  mount: mountOverlay,
  ended,
  unmountOwn,
  unmountElsewhere,
};

async function ended(mountpoint: BytePath, { tree }: Upper): Promise<void> {
  const end = Date.now() + endPatience;
  while (isKernelUpper(tree)) {
    if (Date.now() < end) {
      await sleep(endPause);
      continue;
    }
    const other = copyOf(mountpoint);
    const who = other === undefined ? 'another mount namespace' : `the mount namespace of process ${other.pid}`;
    throw refused(`${display(mountpoint)} is unmounted here, but ${who} still has the mount`, {
      code: 'OTHER_NAMESPACE',
      hint: 'end the processes in it (find them with lsns --type mnt)',
    });
  }
}

/** A mount that another mount namespace has at the same place. */
const copyOf = (mountpoint: BytePath) =>
  mountsElsewhere((entry) => engineOf(entry) === 'kernel' && entry.mountPoint === mountpoint)[0];

/**
 * Copies of the mount in other mount namespaces live on: the file system is made read-only for them all. It is reached
 * by a context from before the unmount, which keeps the file system but not the mount.
 */
async function unmountOwn(mountpoint: BytePath): Promise<void> {
  const context = contextOf(mountpoint);
  try {
    await unmountUnlessUsed(mountpoint);
    await makeReadOnly(context, mountpoint);
  } finally {
    closeSync(context);
  }
}

/** A program that ends may have a file open for a moment after that. */
async function makeReadOnly(context: number, mountpoint: BytePath): Promise<void> {
  configure(context, 'ro');
  for (const end = Date.now() + endPatience; ;) {
    try {
      reconfigureFileSystem(context);
      return;
    } catch (error) {
      if (!isSystemError(error, 'EBUSY')) throw error;
      if (Date.now() >= end) throw stillWritten(mountpoint, error);
    }
    await sleep(endPause);
  }
}

function contextOf(mountpoint: BytePath): number {
  const root = openSync(toBuffer(mountpoint), openFlags.path);
  try {
    return pickFileSystem(root);
  } finally {
    closeSync(root);
  }
}

function stillWritten(mountpoint: BytePath, cause: unknown) {
  return refused(`${display(mountpoint)} is unmounted here, but a file of it is open for writing elsewhere`, {
    code: 'MOUNT_BUSY',
    hint: 'end what has it open in another mount namespace (lsns --type mnt), and try again',
    cause,
  });
}

async function unmountElsewhere(mountpoint: BytePath, upper: Upper, what: string): Promise<void> {
  const other = copyOf(mountpoint);
  if (other === undefined) {
    throw refused(`${what} is mounted on ${display(mountpoint)} in a mount namespace that is not visible here`, {
      code: 'OTHER_NAMESPACE',
      hint: 'unmount it where it was mounted',
    });
  }
  await unmountIn(other.pid, mountpoint, what);
  await ended(mountpoint, upper);
}
