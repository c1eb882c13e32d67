import { closeSync, openSync, statfsSync } from 'node:fs';
import { display, toBuffer } from '../../base/bytes.js';
import type { BytePath } from '../../base/bytes.js';
import { LaminaError, failed, isSystemError, messageOf, refused } from '../../base/errors.js';
import {
  attachMount,
  configure,
  createFileSystem,
  makeMount,
  mountAttributes,
  openFileSystem,
} from '../../platform/native.js';
import { openFlags } from '../../platform/open-flags.js';
import { isMachineRoot, isRoot } from '../../platform/privileges.js';
import { unmountFuse } from '../../platform/unmount.js';
import type { MountRequest } from '../engine.js';
import type { HostView } from '../host-view.js';
import { configureLayer } from './layers.js';
import { checkDepth } from './most-lowers.js';
import { takesLowersOneByOne } from './mount-calls.js';
import { optionsNotInEffect, optionsOf } from './options.js';
import type { Options } from './options.js';

/** <linux/magic.h> */
const overlayMagic = 0x794c7630;

/**
 * Mounts a stack by overlayfs.
 * @throws LaminaError refused: this machine, this user or these trees cannot have it; failed
 */
export async function mountOverlay(request: MountRequest): Promise<void> {
  const options = optionsOf(request);
  attachOverlay(request, options);
  await checkEffect(request, options);
}

/** The same, with these options, whether they are in effect then or not. */
export function attachOverlay(request: MountRequest, options: Options): void {
  checkRequest(request);
  const mountpoint = request.held?.descriptor ?? openSync(toBuffer(request.mountpoint), openFlags.path);
  try {
    const mount = makeOverlay(request, options);
    try {
      attachMount(mount, mountpoint);
    } finally {
      closeSync(mount);
    }
  } catch (error) {
    throw error instanceof LaminaError ? error : cannotMount(request, error);
  } finally {
    if (request.held === undefined) closeSync(mountpoint);
  }
}

function checkRequest({ lowers, upper, mountpoint }: MountRequest): void {
  const shown = display(mountpoint);
  if (!isRoot())
    throw refused(`cannot mount on ${shown} by the kernel: only root may, or root of a user namespace`, {
      code: 'ENGINE_UNAVAILABLE',
      hint: 'mount it by the driver: --engine fuse; or work within lamina unshare',
    });
  checkDepth(`on ${shown}`, lowers.length);
  if (upper !== undefined && statfsSync(toBuffer(upper.tree)).type === overlayMagic)
    throw refused(
      `cannot mount on ${shown} by the kernel: the store lies on an overlayfs, which cannot be written to as the upper of another`,
      {
        code: 'ENGINE_UNAVAILABLE',
        hint: 'keep the store on another file system, such as a volume: the driver cannot write there, either',
      },
    );
}

/** A mount that is not attached yet. */
function makeOverlay({ lowers, upper, source, hostView, isVolatile }: MountRequest, options: Options): number {
  const context = openFileSystem('overlay');
  try {
    configure(context, 'source', Buffer.from(source));
    for (const { tree } of lowers) configureLayer(context, 'lowerdir+', tree);
    if (upper !== undefined) {
      configureLayer(context, 'upperdir', upper.tree);
      configureLayer(context, 'workdir', upper.work);
    }
    configureOptions(context, options);
    if (isVolatile === true) configure(context, 'volatile');
    createFileSystem(context);
    return makeMount(context, attributesOf(hostView ?? { suid: true, dev: true }, upper === undefined));
  } finally {
    closeSync(context);
  }
}

function attributesOf({ suid, dev, noExec }: HostView, isReadOnly: boolean): number {
  const withNone = (suid === true ? 0 : mountAttributes.noSuid) | (dev === true ? 0 : mountAttributes.noDev);
  return withNone | (noExec === true ? mountAttributes.noExec : 0) | (isReadOnly ? mountAttributes.readOnly : 0);
}

function configureOptions(context: number, options: Options): void {
  for (const [name, value] of options) configure(context, name, value === undefined ? undefined : Buffer.from(value));
}

/**
 * What trees show together, newest first, read-only and mounted nowhere: it is reached through the descriptor, and gone
 * once that is closed.
 * @throws SystemError
 */
export function openOverlay(trees: readonly BytePath[]): number {
  const context = openFileSystem('overlay');
  try {
    configure(context, 'source', Buffer.from('lamina'));
    for (const tree of trees) configureLayer(context, 'lowerdir+', tree);
    configureOptions(context, optionsOf({}));
    createFileSystem(context);
    return makeMount(context, mountAttributes.readOnly);
  } finally {
    closeSync(context);
  }
}

function cannotMount({ mountpoint }: MountRequest, error: unknown): LaminaError {
  const what = `cannot mount on ${display(mountpoint)} by the kernel: ${messageOf(error)}`;
  if (isSystemError(error, 'ENODEV', 'ENOSYS') || (isSystemError(error, 'EPERM') && !isMachineRoot()))
    return refused(`${what}; this kernel, or this user namespace, has no overlayfs`, {
      code: 'ENGINE_UNAVAILABLE',
      hint: 'mount it by the driver: --engine fuse; lamina host says what this machine offers',
      cause: error,
    });
  if (isSystemError(error, 'EINVAL') && !takesLowersOneByOne())
    return refused(`${what}; its overlayfs takes no lowers one by one (lowerdir+)`, {
      code: 'ENGINE_UNAVAILABLE',
      hint: 'use Linux 6.7 or later, or mount it by the driver: --engine fuse',
      cause: error,
    });
  return failed(what, {
    code: 'MOUNT_FAILED',
    hint: "the kernel's log says why (dmesg); --engine fuse mounts it by the driver",
    cause: error,
  });
}

async function checkEffect(request: MountRequest, options: Options): Promise<void> {
  const off = await optionsNotInEffect(request, options);
  if (off.length === 0) return;
  await unmountFuse(request.mountpoint);
  const what = off.map((name) => `${name}=on`).join(' and ');
  throw refused(`cannot mount on ${display(request.mountpoint)} by the kernel: it switched ${what} off`, {
    code: 'ENGINE_UNAVAILABLE',
    hint: "the kernel's log says why (dmesg); mount it by the driver: --engine fuse",
  });
}
