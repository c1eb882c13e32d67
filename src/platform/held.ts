import { closeSync, fstatSync, lstatSync, openSync, readlinkSync } from 'node:fs';
import type { BigIntStats } from 'node:fs';
import { components, display, fromBuffer, toBuffer } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { SystemError } from './native.js';
import { refused } from '../base/errors.js';
import { openFlags } from './open-flags.js';
import { isTrusted } from './exposure.js';

/*
 * A file in a directory that others may write is opened once, and everything after that uses the open file: its name
 * may lead elsewhere at any moment. The kernel gives a name to an open descriptor (/proc/self/fd/N), so that any call
 * with a path works on what is held.
 */

/** Something that is held open, and its path for system calls. */
export interface Held {
  readonly descriptor: number;
  /**
   * The held file, or the held directory: names may follow after a slash. Valid until `close`. Never shown to people.
   */
  readonly at: BytePath;
  close(): void;
}

const mostSymlinks = 40;
const held = /^\/proc\/self\/fd\/(\d+)(?:\/|$)/;

/**
 * Opens what a path leads to, one name at a time. A symlink on the way is followed if it belongs to root or the user of
 * this process; another user's could lead to what only we may read.
 * @param path absolute; it may begin with the `at` of something held
 * @throws LaminaError refused: there is a symlink of another user on the way; SystemError as open(2)
 */
export function holdPath(path: BytePath): Held {
  const start = held.exec(path);
  let at = start === null ? openPath('/' as BytePath) : openPath(`/proc/self/fd/${start[1] ?? ''}/.` as BytePath);
  const left = components(start === null ? path : (path.slice(start[0].length) as BytePath)).reverse();
  try {
    for (let symlinks = 0, name = left.pop(); name !== undefined; name = left.pop()) {
      if (name === '.') continue;
      const next = openPath(`/proc/self/fd/${at}/${name}` as BytePath);
      if (!fstatSync(next).isSymbolicLink()) {
        closeSync(at);
        at = next;
        continue;
      }
      const target = targetOf(next, `/proc/self/fd/${at}/${name}` as BytePath, path);
      if (++symlinks > mostSymlinks) throw new SystemError(40, { syscall: 'open', path });
      left.push(...components(target).reverse());
      if (!target.startsWith('/')) continue;
      closeSync(at);
      at = openPath('/' as BytePath);
    }
  } catch (error) {
    closeSync(at);
    throw error;
  }
  return heldAs(at);
}

function heldAs(descriptor: number): Held {
  const name = `/proc/self/fd/${descriptor}`;
  const at = (fstatSync(descriptor).isDirectory() ? `${name}/.` : name) as BytePath;
  return {
    descriptor,
    at,
    close: () => {
      closeSync(descriptor);
    },
  };
}

function openPath(path: BytePath): number {
  return openSync(toBuffer(path), openFlags.path);
}

/** The target of a symlink that is open, and closes it. @param name by which its text can be read */
function targetOf(descriptor: number, name: BytePath, path: BytePath): BytePath {
  try {
    const link = fstatSync(descriptor, { bigint: true });
    if (!isTrusted(Number(link.uid), name)) {
      throw refused(`the path ${display(path)} has a symlink that belongs to user ${link.uid}, and may lead anywhere`, {
        code: 'FOREIGN_SYMLINK',
        hint: 'give the real path, without symlinks of other users',
      });
    }
    const target = fromBuffer(readlinkSync(toBuffer(name), 'buffer'));
    if (isSame(link, lstatSync(toBuffer(name), { bigint: true }))) return target;
    throw refused(`the path ${display(path)} changed while it was checked`, {
      code: 'PATH_CHANGED',
      hint: 'find out which process changes it, and try again',
    });
  } finally {
    closeSync(descriptor);
  }
}

const isSame = (a: BigIntStats, b: BigIntStats) => a.dev === b.dev && a.ino === b.ino && a.ctimeNs === b.ctimeNs;

/** Works with what a path leads to now, even if its name leads elsewhere meanwhile. */
export async function withHeld<T>(path: BytePath, work: (held: Held) => Promise<T>): Promise<T> {
  const what = holdPath(path);
  try {
    return await work(what);
  } finally {
    what.close();
  }
}
