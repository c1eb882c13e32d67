import { setTimeout as sleep } from 'node:timers/promises';
import { basename, display, fromText } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { isSystemError } from '../base/errors.js';
import { isId } from '../base/ids.js';
import { containerOf } from '../manifest/index.js';
import type { Manifest } from '../manifest/index.js';
import { isLocked, lockHolder, lockHolderPid } from '../platform/lock.js';
import { describeRunning, runningCommands } from '../store/index.js';
import type { Store } from '../store/index.js';
import { pingDriver } from './control.js';
import type { FoundMount } from './find.js';
import { findKernelMount } from './kernel/record.js';
import type { KernelMount } from './kernel/record.js';
import { isLost } from './lost.js';

/** The holder of a container's exclusive lock. */
export interface Use {
  /** As "in use by process 12 (update apply debian)". */
  readonly words: string;
  /** What to do about it. */
  readonly next: string;
}

/**
 * Finds who keeps a container from being used, from every source: a mount by the kernel in another mount namespace; the
 * kernel's table of locks, which omits holders in invisible PID namespaces; then the driver of a mount in another mount
 * namespace; then the commands that work on the store. Undefined: it is free again.
 */
export async function describeUse(store: Store, manifest: Manifest, container: string): Promise<Use | undefined> {
  const kernel = findKernelMount(store, manifest, container);
  if (kernel !== undefined) return describeKernelMount(container, kernel);
  const { work } = store.paths.node(containerOf(manifest, container).storage);
  const holder = lockHolder(work);
  const pid = lockHolderPid(work);
  const driver = await pingDriver(store.paths.control(container));
  if (driver !== undefined) {
    const who = holder ?? `process ${driver.pid} of another PID namespace`;
    return {
      words: `mounted on ${display(fromText(driver.mountpoint))} in another mount namespace by ${who}`,
      next: pid === undefined ? 'unmount it where it was mounted' : `unmount it first: lamina umount ${container}`,
    };
  }
  if (holder !== undefined) return heldBy(holder, pid);
  const commands = (await runningCommands(store)).map(describeRunning);
  if (commands.length === 0 && !(await staysLocked(work))) return undefined;
  // The table of locks does not name a holder that has ended, even where a child of it still has the lock.
  const unnamed = 'a process in another PID namespace, or one that is about to end';
  return commands.length === 0
    ? { words: `in use by ${unnamed}`, next: whenEnded }
    : { words: `in use in another PID namespace by ${commands.join(' or ')}`, next: whenEnded };
}

/** The same of a mount by the kernel that this process does not see. */
export function describeKernelMount(container: string, { mountpoint, pid }: KernelMount): Use {
  const where = pid === undefined ? 'another mount namespace' : `the mount namespace of process ${pid}`;
  return {
    words: `mounted on ${display(mountpoint)} by the kernel in ${where}`,
    next: pid === undefined ? 'unmount it where it was mounted' : `unmount it first: lamina umount ${container}`,
  };
}

/** The same of a mount that this process sees. One that a `run` has made for its command ends with that command. */
export async function describeMount(store: Store, { container, mountpoint }: FoundMount): Promise<Use> {
  const where = `mounted on ${display(mountpoint)}`;
  if (await isLost(mountpoint))
    return {
      words: `${where}, but the driver of that mount is gone`,
      next: 'unmount it: lamina recover',
    };
  return runIn(store, mountpoint) ?? { words: where, next: `unmount it first: lamina umount ${container}` };
}

/** Undefined: no `run` has made this mount, or it has ended. */
function runIn(store: Store, mountpoint: BytePath): Use | undefined {
  if (!isId(basename(mountpoint), 'm')) return undefined;
  const { lock } = store.paths.runMount(basename(mountpoint));
  try {
    const [holder, pid] = [lockHolder(lock), lockHolderPid(lock)];
    return holder === undefined || pid === undefined ? undefined : heldBy(holder, pid);
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return undefined;
    throw error;
  }
}

const heldBy = (holder: string, pid: number | undefined): Use => ({
  words: `in use by ${holder}`,
  next: `${whenEnded}, or stop it: kill ${pid ?? ''}`,
});

const whenEnded = 'try again after that command has ended (lamina status shows what runs)';

/** A process that ends has no command line any more (proc_pid_cmdline(5)) while it still has its files open. */
async function staysLocked(work: BytePath): Promise<boolean> {
  for (let tries = 0; tries < 100; tries++) {
    if (!isLocked(work)) return false;
    await sleep(10);
  }
  return true;
}
