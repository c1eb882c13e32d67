import { createHash } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmdirSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { components, dirname, display, join, toBuffer } from '../../base/bytes.js';
import type { BytePath } from '../../base/bytes.js';
import { failed, isSystemError, refused } from '../../base/errors.js';
import { newId } from '../../base/ids.js';
import { flockSync, getXattrSync, removeXattrSync, renameSync, setXattrSync } from '../../platform/native.js';
import { openFlags } from '../../platform/open-flags.js';
import { isMachineRoot } from '../../platform/privileges.js';
import type { RootAdditions } from './additions.js';
import type { MountedRoot } from './reader.js';

/**
 * Marks a directory or file that the sandbox of a run made, and records its state: the last run that uses it removes it
 * if it is unchanged.
 */
const mark = isMachineRoot() ? 'trusted.lamina.planted' : 'user.lamina.planted';
const directoryMark = 'directory';
const attempts = 200;
const attemptMs = 10;

interface Held {
  readonly path: BytePath;
  /** Locked, shared among the runs that use it. */
  readonly descriptor: number;
}

/**
 * What the sandboxes of `lamina run` need in a container's root that it has not. It lies in the container's storage
 * while a sandbox uses it, and never replaces what the container has there: several runs share it, the last one removes
 * it, and the next run removes what a killed one left.
 */
export class SharedAdditions {
  readonly #held: Held[] = [];

  private constructor(readonly root: MountedRoot) {}

  /** @param existing directories that are mounted over as well; another run may have made one of them */
  static async make(root: MountedRoot, wanted: RootAdditions, existing: readonly BytePath[]): Promise<SharedAdditions> {
    const additions = new SharedAdditions(root);
    try {
      for (const path of existing) additions.#holdExisting(path);
      for (const path of wanted.directories) {
        const names = components(path);
        for (let length = 1; length <= names.length; length++)
          await additions.#hold(join(...names.slice(0, length)), undefined);
      }
      for (const { path, content } of wanted.files) await additions.#hold(path, content);
      return additions;
    } catch (error) {
      additions.release();
      if (!isSystemError(error, 'EROFS')) throw error;
      throw refused('the container is mounted read-only, and its root lacks what a sandbox needs', {
        code: 'READ_ONLY',
        hint: 'unmount it and run again',
        cause: error,
      });
    }
  }

  /** Removes what no other run uses and nothing has changed. */
  release(): void {
    for (const held of this.#held.splice(0).reverse()) {
      try {
        this.#remove(held);
      } finally {
        closeSync(held.descriptor);
      }
    }
  }

  #holdExisting(path: BytePath): boolean {
    const descriptor = this.root.at(path, (at) => {
      if (getXattrSync(at, mark) === undefined) return undefined;
      return openSync(at, openFlags.read);
    });
    if (descriptor === undefined) return false;
    if (lock(descriptor, 'shared') && this.#isThere(path, descriptor)) {
      this.#held.push({ path, descriptor });
      return true;
    }
    closeSync(descriptor);
    return false;
  }

  /** A path that exists without a mark is the container's own and is left alone. */
  async #hold(path: BytePath, content: Buffer | undefined): Promise<void> {
    for (let attempt = 0; attempt < attempts; attempt++) {
      if (this.#holdExisting(path)) return;
      if (this.#isOwn(path)) return;
      this.#make(path, content);
      if (this.#holdExisting(path)) return;
      await sleep(attemptMs);
    }
    throw failed(`cannot make ${display(path)} in the root of the container`, {
      code: 'NO_SANDBOX',
      hint: 'other commands make and remove it at the same time: try again',
    });
  }

  #isOwn(path: BytePath): boolean {
    return this.root.at(path, (at) => getXattrSync(at, mark) === undefined) === true;
  }

  /** It gets its name only when it has its mark, so that it is never mistaken for the container's own. */
  #make(path: BytePath, content: Buffer | undefined): void {
    this.root.at(path, (at) => {
      const name = toBuffer(join(dirname(at.toString('latin1') as BytePath), `.lamina-${newId('m')}`));
      if (content === undefined) mkdirSync(name);
      else writeFileSync(name, content, { flag: 'wx' });
      chmodSync(name, content === undefined ? 0o755 : 0o644);
      setXattrSync(name, mark, Buffer.from(content === undefined ? directoryMark : hashOf(content)));
      try {
        renameSync(name, at, 'noreplace');
      } catch (error) {
        if (content === undefined) rmdirSync(name);
        else unlinkSync(name);
        if (!isSystemError(error, 'EEXIST')) throw error;
      }
    });
  }

  #isThere(path: BytePath, descriptor: number): boolean {
    const now = this.root.at(path, (at) => lstatSync(at, { bigint: true }));
    const held = fstatSync(descriptor, { bigint: true });
    return now !== undefined && now.ino === held.ino && now.dev === held.dev;
  }

  #remove({ path, descriptor }: Held): void {
    // Another run uses it: the last one removes it.
    if (!lock(descriptor, 'exclusive')) return;
    if (!this.#isThere(path, descriptor)) return;
    this.root.at(path, (at) => {
      if (!this.#isUnchanged(path, descriptor)) removeXattrSync(at, mark);
      else if (fstatSync(descriptor).isDirectory()) rmdirSync(at);
      else unlinkSync(at);
    });
  }

  #isUnchanged(path: BytePath, descriptor: number): boolean {
    const stats = fstatSync(descriptor);
    const isDirectory = stats.isDirectory();
    if (stats.uid !== process.getuid?.() || (stats.mode & 0o7777) !== (isDirectory ? 0o755 : 0o644)) return false;
    if (isDirectory) return readdirSync(toBuffer(`/proc/self/fd/${descriptor}/.` as BytePath)).length === 0;
    const content = this.root.read(path, 1 << 20);
    const marked = getXattrSync(descriptor, mark);
    return content !== undefined && marked !== undefined && hashOf(content) === marked.toString();
  }
}

const hashOf = (content: Buffer): string => createHash('sha256').update(content).digest('hex');

function lock(descriptor: number, mode: 'shared' | 'exclusive'): boolean {
  try {
    flockSync(descriptor, mode);
    return true;
  } catch (error) {
    if (isSystemError(error, 'EAGAIN', 'EWOULDBLOCK')) return false;
    throw error;
  }
}
