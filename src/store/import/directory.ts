import { closeSync, constants, openSync } from 'node:fs';
import { dirname, display } from '../../base/bytes.js';
import type { BytePath } from '../../base/bytes.js';
import { failed, messageOf, spaceHint } from '../../base/errors.js';
import { copyFileData } from '../../platform/native.js';
import { openFlags } from '../../platform/open-flags.js';
import { walkDetailed } from '../../platform/walk.js';
import type { DetailedEntry } from '../../platform/walk.js';
import { deviceOf } from '../node-index/scan.js';
import { TreeBounds } from '../tree-bounds.js';
import type { TreeLimits } from '../tree-bounds.js';
import { refuseOwnPlace } from './own-place.js';
import { TreeWriter } from './tree-writer.js';
import type { MemberAttributes } from './member-attributes.js';

/** How far an import is. */
export interface ImportProgress {
  /** Of the source that were read; of a directory, of content. */
  readonly bytes: number;
  /** Bytes there are, where that is known. */
  readonly total: number | undefined;
  readonly entries: number;
}

export interface ImportOptions {
  readonly onProgress?: ((progress: ImportProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
  /** The name of the source in errors, where its path means nothing to the user. */
  readonly calledAs?: string | undefined;
  /** Of an archive: the most bytes that it may unpack to; the default is in docs/security.md, "Limits of input". */
  readonly maxBytes?: number | undefined;
  /** Of an archive: bytes that are free where it is unpacked; by default those of the file system. */
  readonly freeBytes?: number | undefined;
  /** Limits other than those of docs/security.md. */
  readonly limits?: TreeLimits | undefined;
  /** Called for each device that is left out, where an ordinary user imports. */
  readonly onLeftOut?: ((path: BytePath) => void) | undefined;
}

/**
 * Copies a directory into a fresh tree, with owners, modes, times, hard links, devices and xattrs.
 * @throws LaminaError refused: the tree lies in it; failed: it cannot be read or written
 */
export async function importDirectory(source: BytePath, tree: BytePath, options: ImportOptions): Promise<void> {
  const called = options.calledAs ?? display(source);
  refuseOwnPlace(source, dirname(tree), called);
  const writer = new TreeWriter(tree, new TreeBounds(called, options.limits));
  writer.onLeftOut = options.onLeftOut;
  try {
    await copyAll(source, writer, options);
    await writer.finish();
  } finally {
    await writer.close();
  }
}

async function copyAll(source: BytePath, writer: TreeWriter, options: ImportOptions): Promise<void> {
  const firstNames = new Map<string, BytePath>();
  let bytes = 0;
  for (const entry of walkDetailed(source, { hold: true })) {
    options.signal?.throwIfAborted();
    const { path, stats } = entry;
    const inode = `${stats.dev}:${stats.ino}`;
    const first = stats.isDirectory() || stats.nlink < 2n ? undefined : firstNames.get(inode);
    if (first !== undefined) {
      writer.link(path, first);
    } else {
      if (stats.isFile()) writer.bounds.addFile(path, stats);
      await copyMember(writer, entry);
      firstNames.set(inode, path);
      if (stats.isFile()) bytes += Number(stats.size);
    }
    options.onProgress?.({ bytes, total: undefined, entries: writer.entries });
  }
}

async function copyMember(writer: TreeWriter, { path, at, stats, read }: DetailedEntry): Promise<void> {
  let attributes: MemberAttributes;
  try {
    attributes = {
      mode: Number(stats.mode) & 0o7777,
      uid: Number(stats.uid),
      gid: Number(stats.gid),
      mtimeNs: stats.mtimeNs,
      xattrs: read.xattrs,
    };
  } catch (error) {
    throw unreadable(path, error);
  }
  if (stats.isDirectory()) writer.directory(path, attributes);
  else if (stats.isSymbolicLink()) writer.symlink(path, read.target, attributes);
  else if (stats.isFile()) await copyFile(writer, { path, at }, attributes);
  else writer.node(path, Number(stats.mode) & constants.S_IFMT, deviceOf(stats.rdev), attributes);
}

async function copyFile(
  writer: TreeWriter,
  { path, at }: { path: BytePath; at: Buffer },
  attributes: MemberAttributes,
): Promise<void> {
  let from: number;
  try {
    from = openSync(at, openFlags.read);
  } catch (error) {
    throw unreadable(path, error);
  }
  try {
    const to = writer.beginFile(path);
    try {
      await copyFileData(from, to);
    } catch (error) {
      closeSync(to);
      throw failed(`cannot copy ${display(path)}: ${messageOf(error)}`, {
        ...{ code: 'WRITE_FAILED', cause: error },
        ...spaceHint(error),
      });
    }
    writer.finishFile(path, to, attributes);
  } finally {
    closeSync(from);
  }
}

function unreadable(path: BytePath, error: unknown) {
  return failed(`cannot read ${display(path)} of the source: ${messageOf(error)}`, {
    code: 'READ_FAILED',
    cause: error,
  });
}
