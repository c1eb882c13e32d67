import { randomBytes } from 'node:crypto';
import { closeSync, openSync, unlinkSync, writeSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { basename, dirname, display, join, nameWithEnding, toBuffer } from '../../base/bytes.js';
import type { BytePath } from '../../base/bytes.js';
import { LaminaError, accessHint, failed, isSystemError, messageOf, notFound, refused } from '../../base/errors.js';
import { syncDirectory } from '../../platform/durable.js';
import { renameSync } from '../../platform/native.js';
import { openFlags } from '../../platform/open-flags.js';
import { isThereSync } from '../../platform/walk.js';
import { behindFile } from '../../platform/write-behind.js';
import type { WriteBehind } from '../../platform/write-behind.js';

/** A name beside `path` for what is not yet whole. */
export function unfinishedName(path: BytePath): BytePath {
  const ending = `.${randomBytes(4).toString('hex')}.tmp`;
  return join(dirname(path), nameWithEnding(`.${basename(path)}`, ending));
}

/** @throws LaminaError refused: something is there */
export function refuseExisting(path: BytePath): void {
  if (isThere(path)) throw exists(path);
}

/** Whether the name is taken, be it by a symlink that leads nowhere. */
export function isThere(path: BytePath): boolean {
  try {
    return isThereSync(path);
  } catch (error) {
    throw destinationError(path, error);
  }
}

function exists(path: BytePath): LaminaError {
  return refused(`${display(path)} already exists`, {
    code: 'DESTINATION_EXISTS',
    hint: 'give another name, or remove it first',
  });
}

/** What went wrong with a destination, by its path. */
export function destinationError(path: BytePath, error: unknown): unknown {
  if (error instanceof LaminaError || !isSystemError(error)) return error;
  const shown = display(path);
  if (isSystemError(error, 'EEXIST', 'ENOTEMPTY')) return exists(path);
  if (isSystemError(error, 'ENOENT', 'ENOTDIR'))
    return notFound(`${shown} cannot be made: its directory does not exist`, {
      code: 'NO_DIRECTORY',
      hint: `make ${display(dirname(path))} first`,
      cause: error,
    });
  const hint = isSystemError(error, 'ENOSPC', 'EDQUOT')
    ? { code: 'NO_SPACE', hint: `free some space on the file system of ${shown}, or choose another destination` }
    : isSystemError(error, 'EROFS')
      ? { code: 'READ_ONLY', hint: 'that file system is mounted read-only: choose another destination' }
      : { code: 'WRITE_FAILED', ...accessHint(error) };
  return failed(`${shown} cannot be written: ${messageOf(error)}`, { ...hint, cause: error });
}

/**
 * Makes a file that has its name only when it is whole and on disk. Where `fill` fails nothing is left of it.
 * @throws LaminaError refused: something of that name is there, or came meanwhile; failed
 */
export async function makeFile<T>(path: BytePath, fill: (write: (bytes: Buffer) => void) => Promise<T>): Promise<T> {
  refuseExisting(path);
  return makeFileAt(path, async (temporary) => {
    return withNewFile(temporary, async (descriptor, behind) =>
      fill((bytes) => {
        try {
          for (let done = 0; done < bytes.length;) done += writeSync(descriptor, bytes, done);
          behind.wrote(bytes.length);
        } catch (error) {
          throw destinationError(path, error);
        }
      }),
    );
  });
}

/** A new file for `work`, which must report to `behind` what it writes. It is not yet on disk on return. */
export async function withNewFile<T>(
  path: BytePath,
  work: (descriptor: number, behind: WriteBehind) => Promise<T>,
): Promise<T> {
  const descriptor = openSync(toBuffer(path), openFlags.create, 0o644);
  const behind = behindFile(descriptor);
  try {
    const result = await work(descriptor, behind);
    await behind.end();
    return result;
  } finally {
    await behind.settle();
    closeSync(descriptor);
  }
}

/** As `makeFile`, of a file that `make` makes under another name. */
export async function makeFileAt<T>(path: BytePath, make: (temporary: BytePath) => Promise<T>): Promise<T> {
  refuseExisting(path);
  const temporary = unfinishedName(path);
  try {
    const result = await make(temporary);
    await syncFile(temporary);
    renameSync(temporary, path, 'noreplace');
    await syncDirectory(dirname(path));
    return result;
  } catch (error) {
    removeIfThere(temporary);
    throw destinationError(path, error);
  }
}

async function syncFile(path: BytePath): Promise<void> {
  const handle = await open(toBuffer(path), openFlags.read);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function removeIfThere(path: BytePath): void {
  try {
    unlinkSync(toBuffer(path));
  } catch (error) {
    if (!isSystemError(error, 'ENOENT', 'ENOTDIR', 'EROFS')) throw error;
  }
}
