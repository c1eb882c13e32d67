import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { components, display, toBuffer } from '../../base/bytes.js';
import type { BytePath } from '../../base/bytes.js';
import { failed, isSystemError, messageOf } from '../../base/errors.js';
import { openFlags } from '../../platform/open-flags.js';
import { checkDescriptionSize } from '../descriptions.js';

/** A file that is open for reading. */
export interface OpenFile {
  /** Its path for system calls, until `close`. */
  readonly at: BytePath;
  readonly size: number;
  readonly close: () => void;
}

/** A directory with the files of an image, which somebody else may have made. */
export class ImageFiles {
  constructor(
    /** For system calls. */
    readonly at: BytePath,
    /** For people. */
    readonly called: string,
  ) {}

  /**
   * Opens a regular file; undefined where there is none.
   * @throws LaminaError failed: a symlink is on the way, or it is something else
   */
  open(path: string): OpenFile | undefined {
    let descriptor: number;
    try {
      descriptor = this.#descriptor(path);
    } catch (error) {
      if (isSystemError(error, 'ENOENT')) return undefined;
      const reason = isSystemError(error, 'ELOOP', 'ENOTDIR') ? 'there is a symlink on the way' : messageOf(error);
      throw this.#unreadable(path, reason, error);
    }
    const stats = fstatSync(descriptor);
    const close = () => {
      closeSync(descriptor);
    };
    if (stats.isFile()) return { at: `/proc/self/fd/${descriptor}` as BytePath, size: stats.size, close };
    close();
    throw this.#unreadable(path, 'it is not a file');
  }

  /** The content of a small file; undefined where there is none. @throws LaminaError refused: it is too large */
  read(path: string): Buffer | undefined {
    const file = this.open(path);
    if (file === undefined) return undefined;
    try {
      checkDescriptionSize(file.size, `${display(path)} of ${this.called}`);
      return readWhole(file);
    } finally {
      file.close();
    }
  }

  /** No symlink is followed on the way from the directory: an archive may have brought it. */
  #descriptor(path: string): number {
    const names = components(path as BytePath);
    let at = openSync(toBuffer(this.at), constants.O_RDONLY | constants.O_DIRECTORY);
    for (const [i, name] of names.entries()) {
      const flags = i === names.length - 1 ? openFlags.read : openFlags.directory;
      try {
        const next = openSync(toBuffer(`/proc/self/fd/${at}/${name}` as BytePath), flags);
        closeSync(at);
        at = next;
      } catch (error) {
        closeSync(at);
        throw error;
      }
    }
    return at;
  }

  #unreadable(path: string, reason: string, cause?: unknown) {
    return failed(`cannot read ${display(path)} of ${this.called}: ${reason}`, {
      code: 'READ_FAILED',
      hint: 'give an image whose files are all there, as files',
      cause,
    });
  }
}

function readWhole({ at, size }: OpenFile): Buffer {
  const descriptor = openSync(toBuffer(at), constants.O_RDONLY);
  try {
    const bytes = Buffer.alloc(size);
    return bytes.subarray(0, readSync(descriptor, bytes, 0, size, 0));
  } finally {
    closeSync(descriptor);
  }
}
