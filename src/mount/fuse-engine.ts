import { unlinkSync, writeFileSync } from 'node:fs';
import { display, join, toBuffer, toText } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { failed, refused } from '../base/errors.js';
import type { LaminaError } from '../base/errors.js';
import { newId } from '../base/ids.js';
import { temporaryDirectory } from '../platform/command-line.js';
import { distFile } from '../platform/install.js';
import { LockHeld, isLocked, lockHolderPid } from '../platform/lock.js';
import { mountAt, readMountInfo } from '../platform/mountinfo.js';
import { isMachineRoot } from '../platform/privileges.js';
import { runProcess } from '../platform/process.js';
import { driverEnded, endDriver } from '../platform/work-lock.js';
import type { Engine, MountRequest, Upper } from './engine.js';
import { hostViewOptions } from './host-view.js';
import { wordsToOutlive } from './own-scope.js';
import { requestOptions, ringState } from './ring.js';
import { unmountIn, unmountUnlessUsed } from './unmount.js';

/** Milliseconds. */
const startPatience = 30_000;

/** laminafs: a process for each mount, which holds the lock of the work directory to its end. */
export const fuseEngine: Engine = {
  name: 'fuse',
  mount,
  async ended(mountpoint, { work }) {
    try {
      await driverEnded(work);
    } catch (error) {
      throw error instanceof LockHeld ? stillDriven(mountpoint, work, error) : error;
    }
  },
  /** The driver gets a signal if it does not end by itself. */
  async unmountOwn(mountpoint, { work }) {
    try {
      await unmountUnlessUsed(mountpoint);
    } catch (error) {
      if (mountAt(await readMountInfo(), mountpoint) !== undefined) throw error;
    }
    await endDriver(work);
  },
  unmountElsewhere,
};

/** Whether a driver uses a work directory, even if its mount is in another mount namespace. */
export function isDriven(work: BytePath): boolean {
  return isLocked(work);
}

/** The driver keeps running on its own. @throws LaminaError failed with the driver's own line */
async function mount(request: MountRequest): Promise<void> {
  const scope = request.fuse?.outlivesUnit === true ? wordsToOutlive() : [];
  const file = join(temporaryDirectory(), `lamina-${newId('m')}.options`);
  // A long stack does not fit on a command line.
  writeFileSync(toBuffer(file), toBuffer(`${optionLines(request).join('\n')}\n` as BytePath), {
    mode: 0o600,
    flag: 'wx',
  });
  const lines: Buffer[] = [];
  try {
    const driver = process.env['LAMINA_LAMINAFS'] ?? distFile('laminafs');
    const options = ['-o', toText(`optionsfile=${escape(file)}` as BytePath), '--', toText(request.mountpoint)];
    const [command = driver, ...args] = [...scope, driver, ...options];
    const result = await runProcess({
      command,
      args,
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

function optionLines({ lowers, upper, source, held, hostView, isVolatile, fuse = {} }: MountRequest): string[] {
  const { mode = 'stateless', control, filter, mapsOwners } = fuse;
  const list = (paths: readonly (BytePath | undefined)[]) => paths.map((path) => escape(path ?? '')).join(':');
  const lines = [`lowerdir=${list(lowers.map(({ tree }) => tree))}`, `mode=${mode}`, `fsname=${escape(source)}`];
  // The marks of a store are the kernel's; a file with such a name is content.
  lines.push('whiteout_files=off');
  lines.push(...requestOptions({ mode, isVolatile: isVolatile === true }, ringState()));
  if (lowers.some(({ index }) => index !== undefined))
    lines.push(`lowerindex=${list(lowers.map(({ index }) => index))}`);
  if (upper !== undefined) lines.push(`upperdir=${escape(upper.tree)}`, `workdir=${escape(upper.work)}`);
  if (!isMachineRoot()) lines.push('userxattr');
  if (held !== undefined) lines.push(`mountpoint_at=/proc/${process.pid}/fd/${held.descriptor}`);
  const optional = { control, filter: filter?.rules, journal: filter?.journal, readset: filter?.reads };
  for (const [name, path] of Object.entries(optional)) if (path !== undefined) lines.push(`${name}=${escape(path)}`);
  if (isVolatile === true) lines.push('volatile');
  if (mapsOwners === true) lines.push('idmap=on');
  return [...lines, ...(hostView === undefined ? [] : hostViewOptions(hostView))];
}

/** Not by a signal to the driver, which would end even if the mount is in use. */
async function unmountElsewhere(mountpoint: BytePath, upper: Upper, what: string): Promise<void> {
  const pid = lockHolderPid(upper.work);
  if (pid === undefined) {
    throw refused(`${what} is mounted on ${display(mountpoint)} by a process of another PID namespace`, {
      code: 'OTHER_NAMESPACE',
      hint: 'unmount it where it was mounted',
    });
  }
  await unmountIn(pid, mountpoint, what);
  await fuseEngine.ended(mountpoint, upper);
}

function stillDriven(mountpoint: BytePath, work: BytePath, cause: unknown): LaminaError {
  const pid = lockHolderPid(work);
  const driver = pid === undefined ? 'its driver' : `its driver (process ${pid})`;
  return refused(
    `${display(mountpoint)} is unmounted here, but ${driver} is still running: another mount namespace still has the mount`,
    {
      code: 'OTHER_NAMESPACE',
      hint: `end the processes in it (find them with lsns --type mnt)${pid === undefined ? '' : `, or end the driver: kill ${pid}`}`,
      cause,
    },
  );
}
