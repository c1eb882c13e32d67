import { mkdirSync, unlinkSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { display, join, toBuffer, toText } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { failed, isSystemError, messageOf, refused } from '../base/errors.js';
import type { LaminaError } from '../base/errors.js';
import { newId } from '../base/ids.js';
import { warn } from '../base/this-command.js';
import { temporaryDirectory } from '../platform/command-line.js';
import type { Held } from '../platform/held.js';
import { distFile } from '../platform/install.js';
import { LockHeld, isLocked, lockHolderPid } from '../platform/lock.js';
import { mountAt, readMountInfo } from '../platform/mountinfo.js';
import { isMachineRoot } from '../platform/privileges.js';
import { runProcess } from '../platform/process.js';
import { unmountFuse } from '../platform/unmount.js';
import { driverEnded, endDriver } from '../platform/work-lock.js';
import type { MountableNode } from '../store/index.js';
import { holdersOf } from './holders.js';
import type { Holder } from './holders.js';

/** How files are opened in a mount (docs/driver.md). */
export type MountMode = 'stateless' | 'passthrough' | 'servicing';

export interface MountRequest {
  /** Newest first. */
  readonly lowers: readonly Pick<MountableNode, 'tree' | 'index'>[];
  /** The writable tree and its work directory; without them the mount is read-only. */
  readonly upper?: { readonly tree: BytePath; readonly work: BytePath } | undefined;
  readonly mountpoint: BytePath;
  /** The held mount point, where others may replace it. */
  readonly held?: Held | undefined;
  readonly mode: MountMode;
  /** What the mount table shows as its source. */
  readonly source: string;
  readonly control?: BytePath | undefined;
  readonly filter?: { readonly rules?: BytePath; readonly journal?: BytePath; readonly reads?: BytePath } | undefined;
  readonly options?: readonly string[] | undefined;
}

const startPatience = 30_000;
/** The number of retries to unmount what is busy without a visible user, and the milliseconds between them. */
const unseenTries = 20;
const unseenPause = 50;

/** Mounts a stack; the driver keeps running on its own. @throws LaminaError failed with the driver's own line */
export async function mountStack(request: MountRequest): Promise<void> {
  const file = join(temporaryDirectory(), `lamina-${newId('m')}.options`);
  // A long stack does not fit on a command line.
  writeFileSync(toBuffer(file), toBuffer(`${optionLines(request).join('\n')}\n` as BytePath), {
    mode: 0o600,
    flag: 'wx',
  });
  const lines: Buffer[] = [];
  try {
    const result = await runProcess({
      command: process.env['LAMINA_LAMINAFS'] ?? distFile('laminafs'),
      args: ['-o', toText(`optionsfile=${escape(file)}` as BytePath), '--', toText(request.mountpoint)],
      timeoutMs: startPatience,
      onOutput: (chunk) => lines.push(chunk),
    });
    if (result.exitCode === 0) return;
    const said = Buffer.concat(lines)
      .toString('utf8')
      .trim()
      .replace(/^laminafs: /gm, '');
    throw failed(
      `cannot mount on ${display(request.mountpoint)}: ${said === '' ? `laminafs ended with ${result.exitCode}` : said}`,
      {
        code: 'MOUNT_FAILED',
        hint: 'fix what it reports, and try again',
      },
    );
  } finally {
    unlinkSync(toBuffer(file));
  }
}

/** Commas, colons and backslashes in a path, as in the driver's option list. */
function escape(path: string): string {
  return path.replace(/[\\:,]/g, '\\$&');
}

function optionLines({ lowers, upper, mode, source, held, control, filter, options }: MountRequest): string[] {
  const list = (paths: readonly (BytePath | undefined)[]) => paths.map((path) => escape(path ?? '')).join(':');
  const lines = [`lowerdir=${list(lowers.map(({ tree }) => tree))}`, `mode=${mode}`, `fsname=${escape(source)}`];
  // The marks of a store are the kernel's; a file with such a name is content.
  lines.push('whiteout_files=off');
  // A driver that dies is replaced; passthrough files would not survive that.
  if (mode !== 'passthrough') lines.push('supervise=on');
  if (lowers.some(({ index }) => index !== undefined))
    lines.push(`lowerindex=${list(lowers.map(({ index }) => index))}`);
  if (upper !== undefined) lines.push(`upperdir=${escape(upper.tree)}`, `workdir=${escape(upper.work)}`);
  if (!isMachineRoot()) lines.push('userxattr');
  if (held !== undefined) lines.push(`mountpoint_at=/proc/${process.pid}/fd/${held.descriptor}`);
  const optional = { control, filter: filter?.rules, journal: filter?.journal, readset: filter?.reads };
  for (const [name, path] of Object.entries(optional)) if (path !== undefined) lines.push(`${name}=${escape(path)}`);
  return [...lines, ...(options ?? [])];
}

/**
 * Unmounts, and waits until the driver has written its last byte.
 * @param work the mount's work directory, whose lock the driver holds to its end
 * @throws LaminaError refused: it is in use (by whom, as far as /proc shows)
 */
export async function unmountStack(
  mountpoint: BytePath,
  work: BytePath | undefined,
  options: { lazy?: boolean } = {},
): Promise<void> {
  await unmountUnlessUsed(mountpoint, options);
  if (work === undefined) return;
  try {
    await driverEnded(work);
  } catch (error) {
    throw error instanceof LockHeld ? stillDriven(mountpoint, work, error) : error;
  }
}

/**
 * A program that ends keeps a mount busy for a moment after /proc has stopped naming it: if no user of the mount is
 * visible, try again.
 */
async function unmountUnlessUsed(mountpoint: BytePath, options: { lazy?: boolean }): Promise<void> {
  for (let tries = 0; ; tries++) {
    try {
      await unmountFuse(mountpoint, options);
      return;
    } catch (error) {
      const isGone = isSystemError(error, 'ENOENT') || isSystemError(error, 'EINVAL');
      // Another process has just unmounted it.
      if (isGone && mountAt(await readMountInfo(), mountpoint) === undefined) return;
      const holders = await holdersOf(mountpoint);
      const busy = isSystemError(error, 'EBUSY');
      if (holders.length > 0 || (busy && tries === unseenTries)) throw mountBusy(mountpoint, holders, error);
      if (!busy) throw error;
      await sleep(unseenPause);
    }
  }
}

/**
 * As `unmountStack`, for a mount that only this process used: its driver gets a signal if it does not end by itself. It
 * is no error if another process has just unmounted it.
 */
export async function unmountOwn(mountpoint: BytePath, work: BytePath): Promise<void> {
  try {
    await unmountStack(mountpoint, undefined);
  } catch (error) {
    if (mountAt(await readMountInfo(), mountpoint) !== undefined) throw error;
  }
  await endDriver(work);
}

/**
 * Unmounts a mount that exists only in another mount namespace, there: its driver is in that namespace. Not by a signal
 * to the driver, which would end even if the mount is in use.
 * @throws LaminaError refused: it is in use there, or the driver is in another PID namespace; the mount stays
 */
export async function endElsewhere(work: BytePath, mountpoint: BytePath, what: string): Promise<void> {
  const shown = display(mountpoint);
  const pid = lockHolderPid(work);
  if (pid === undefined) {
    throw refused(`${what} is mounted on ${shown} by a process of another PID namespace`, {
      code: 'OTHER_NAMESPACE',
      hint: 'unmount it where it was mounted',
    });
  }
  const enter = ['--target', String(pid), '--mount', '--'];
  const said: Buffer[] = [];
  const { exitCode } = await runProcess({
    command: 'nsenter',
    args: [...enter, 'umount', mountpoint],
    timeoutMs: startPatience,
    onOutput: (chunk) => said.push(chunk),
  });
  if (exitCode !== 0) {
    const why = Buffer.concat(said).toString('utf8').trim();
    throw refused(`${what} is mounted on ${shown} in the mount namespace of process ${pid}, and stays: ${why}`, {
      code: 'OTHER_NAMESPACE',
      hint: `end what uses it there, and try again; what it is says: nsenter ${enter.join(' ')} fuser --verbose --mount ${shown}`,
    });
  }
  try {
    await driverEnded(work);
  } catch (error) {
    throw error instanceof LockHeld ? stillDriven(mountpoint, work, error) : error;
  }
}

/**
 * Works with a mount that only this process uses, and unmounts it. Where both fail, the error of the work is thrown:
 * the mount is in a transaction, which unmounts what is left in it.
 */
export async function withOwnMount<T>(
  { mountpoint, work }: { readonly mountpoint: BytePath; readonly work: BytePath },
  use: () => T | Promise<T>,
): Promise<T> {
  let result: T;
  try {
    result = await use();
  } catch (error) {
    try {
      await unmountOwn(mountpoint, work);
    } catch (busy) {
      warn(`cannot unmount ${display(mountpoint)} as long as it is used: ${messageOf(busy)}`);
    }
    throw error;
  }
  await unmountOwn(mountpoint, work);
  return result;
}

function stillDriven(mountpoint: BytePath, work: BytePath, cause: unknown): LaminaError {
  const pid = lockHolderPid(work);
  const driver = pid === undefined ? 'its driver' : `its driver (process ${pid})`;
  return refused(
    `${display(mountpoint)} is unmounted here, but ${driver} is still running: another mount namespace still has the mount`,
    {
      code: 'OTHER_NAMESPACE',
      hint: `end what runs there (lsns --type mnt shows who)${pid === undefined ? '' : `, or end the driver: kill ${pid}`}`,
      cause,
    },
  );
}

function mountBusy(mountpoint: BytePath, holders: readonly Holder[], cause: unknown): LaminaError {
  const who = holders.map(({ pid, command }) => `${command} (process ${pid})`).join(', ');
  return refused(`${display(mountpoint)} is in use${who === '' ? '' : ` by ${who}`}`, {
    code: 'MOUNT_BUSY',
    hint: 'end what uses it, or leave the directory, and try again',
    cause,
  });
}

/** Whether a driver uses a work directory, even if its mount is in another mount namespace. */
export function isDriven(work: BytePath): boolean {
  return isLocked(work);
}

/** An empty directory to mount on. */
export function makeMountpoint(path: BytePath): void {
  mkdirSync(toBuffer(path), { recursive: true, mode: 0o700 });
}
