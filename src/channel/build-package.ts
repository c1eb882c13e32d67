import { createHash } from 'node:crypto';
import { openSync, readlinkSync } from 'node:fs';
import { setImmediate as breathe } from 'node:timers/promises';
import { display, fromBuffer, join } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { usage } from '../base/errors.js';
import type { OnBytes } from '../base/steps.js';
import { makeFile, tarBytes } from '../image/index.js';
import type { TarMemberToWrite } from '../image/index.js';
import { checkProcedure, describePackage } from '../package/index.js';
import type { DescribedPackage } from '../package/index.js';
import { absolutePath } from '../platform/command-line.js';
import { openFlags } from '../platform/open-flags.js';
import { walk } from '../platform/walk.js';
import type { WalkEntry } from '../platform/walk.js';

export interface BuiltPackage extends DescribedPackage {
  readonly file: string;
  readonly sha256: string;
  readonly bytes: number;
}

export interface BuildOptions {
  readonly signal?: AbortSignal | undefined;
  /** Of the content of its files. */
  readonly onBytes?: OnBytes | undefined;
}

/**
 * Makes one file of an update package. The same content gives the same bytes, on every machine: names in the order of
 * their bytes, no owners, no times, and of the modes only whether a file may be executed.
 * @param source a directory with update.json
 * @throws LaminaError usage: it is no package, or holds a device, a socket or a FIFO; refused: the file is there; as
 * `checkProcedure`; the signal's reason
 */
export async function buildPackage(
  source: BytePath,
  file: BytePath | undefined,
  { signal, onBytes }: BuildOptions = {},
): Promise<BuiltPackage> {
  const given = await checkProcedure(source);
  if (given.form !== 'directory')
    throw usage(`${display(source)} is not the directory of a package`, {
      code: 'NO_PACKAGE',
      hint: 'give a directory with update.json (docs/update-package.md, "Update package")',
    });
  const described = await describePackage(given);
  const path = file ?? absolutePath(`${described.name}.tar`);
  const hash = createHash('sha256');
  const total = sizeOf(source);
  let bytes = 0;
  await makeFile(path, async (write) => {
    let count = 0;
    for (const piece of tarBytes(membersOf(source))) {
      hash.update(piece);
      bytes += piece.length;
      write(piece);
      onBytes?.(Math.min(bytes, total), total);
      if (++count % piecesPerTurn === 0) await breathe();
      signal?.throwIfAborted();
    }
    onBytes?.(total, total);
  });
  return { ...described, file: display(path), sha256: hash.digest('hex'), bytes };
}

const piecesPerTurn = 64;

function sizeOf(source: BytePath): number {
  let total = 0;
  for (const { stats } of walk(source)) if (stats.isFile()) total += Number(stats.size);
  return total;
}

function* membersOf(source: BytePath): Generator<TarMemberToWrite> {
  for (const entry of walk(source)) if (entry.path !== '') yield memberOf(entry, source);
}

function memberOf({ path, at, stats }: WalkEntry, source: BytePath): TarMemberToWrite {
  const isFile = stats.isFile();
  const type = isFile ? 'file' : stats.isDirectory() ? 'directory' : stats.isSymbolicLink() ? 'symlink' : undefined;
  if (type === undefined)
    throw usage(`${display(join(source, path))} is neither a file nor a directory nor a symlink`, {
      code: 'BAD_PACKAGE',
      hint: 'remove it: a package can hold only files, directories and symlinks; its script can make the rest',
    });
  const isExecutable = type === 'directory' || (Number(stats.mode) & 0o100) !== 0;
  const place = Buffer.from(at);
  return {
    header: {
      path,
      type,
      mode: type === 'symlink' ? 0o777 : isExecutable ? 0o755 : 0o644,
      uid: 0,
      gid: 0,
      size: isFile ? Number(stats.size) : 0,
      mtimeNs: 0n,
      target: type === 'symlink' ? fromBuffer(readlinkSync(place, 'buffer')) : '',
      major: 0,
      minor: 0,
      xattrs: new Map(),
    },
    open: () => openSync(place, openFlags.read),
  };
}
