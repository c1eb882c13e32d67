import { constants, unlinkSync } from 'node:fs';
import { mkdir, open, readFile, readdir, stat } from 'node:fs/promises';
import { display, fromBuffer, join, toBuffer } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { LaminaError, damaged, failed, isSystemError, messageOf, notFound, refused } from '../base/errors.js';
import { checkGraph, emptyManifest, manifestVersion, readManifest, serialiseManifest } from '../manifest/index.js';
import type { Finding, Manifest } from '../manifest/index.js';
import { makeDirectoryDurably, removeDurably, writeFileDurably } from '../platform/durable.js';
import { LockHeld, acquireLock } from '../platform/lock.js';
import type { Lock, LockMode } from '../platform/lock.js';
import { makeWhiteoutSync, removeXattrSync, setXattrSync } from '../platform/native.js';
import { markNamespace } from './marks.js';
import { findGarbage, removeGarbage } from './garbage.js';
import type { Garbage } from './garbage.js';
import { StorePaths } from './paths.js';
import { recoverDead } from './recovery.js';
import type { Recovery } from './recovery.js';

/** How long a command waits for others that hold the store, in milliseconds. */
const lockPatience = Number(process.env['LAMINA_LOCK_TIMEOUT_MS'] ?? 30_000);

/** Writes the new manifest: the one step that makes a change visible. */
export type Publish = (manifest: Manifest) => Promise<void>;

interface Loaded {
  readonly manifest: Manifest;
  /** What it was read from, where that is of an older version of the format. */
  readonly older: { readonly version: number; readonly text: string } | undefined;
}

/** What `examine` finds: a manifest and the rules it breaks, or why there is none. */
export type Examined =
  | { readonly manifest: Manifest; readonly broken: readonly Finding[] }
  | { readonly manifest: undefined; readonly unreadable: LaminaError };

export class Store {
  readonly paths: StorePaths;

  constructor(root: BytePath) {
    this.paths = new StorePaths(root);
  }

  /** The manifest as it is now. @throws LaminaError notFound, damaged; refused while somebody changes the store for long */
  async read(): Promise<Manifest> {
    const lock = await this.#lock('shared');
    try {
      return (await this.#load()).manifest;
    } finally {
      lock.release();
    }
  }

  /**
   * Runs `work` with the store to itself, what died in it cleared away before. What `work` publishes is on disk when `publish` is done; it may publish once at the
   * most, and clear up after that what the new manifest does not refer to.
   */
  async change<T>(work: (manifest: Manifest, publish: Publish) => Promise<T>): Promise<T> {
    const lock = await this.#lock('exclusive');
    try {
      await this.#announce();
      const { manifest, older } = await this.#load();
      await recoverDead(this.paths, manifest);
      return await work(manifest, (next) => this.#publish(next, older));
    } finally {
      lock.release();
    }
  }

  /** Finds what nothing refers to and, unless it is a dry run, removes it. */
  async collectGarbage(dryRun: boolean): Promise<Garbage[]> {
    const lock = await this.#lock('exclusive');
    try {
      const garbage = await findGarbage(this.paths, (await this.#load()).manifest);
      if (!dryRun) await removeGarbage(garbage);
      return garbage;
    } finally {
      lock.release();
    }
  }

  /** Clears away what crashed commands left, as every change does before it begins. */
  async recover(): Promise<Recovery> {
    const lock = await this.#lock('exclusive');
    try {
      return await recoverDead(this.paths, (await this.#load()).manifest);
    } finally {
      lock.release();
    }
  }

  /** @param older the manifest that is replaced, where it is of an older version: kept beside the new one */
  async #publish(manifest: Manifest, older: Loaded['older']): Promise<void> {
    const [fault] = checkGraph(manifest);
    if (fault !== undefined)
      throw failed(`internal error: the change would break the graph: ${fault.message}`, { code: 'INTERNAL' });
    if (older !== undefined) await writeFileDurably(this.paths.olderManifest(older.version), older.text);
    await writeFileDurably(this.paths.manifest, serialiseManifest(manifest));
  }

  /**
   * For verify: runs `work` on the manifest as it lies there, the graph's broken rules told beside it. Nobody changes the store until it is done.
   */
  async examine<T>(work: (found: Examined) => Promise<T>): Promise<T> {
    const lock = await this.#lock('shared');
    try {
      return await work(await this.#examine());
    } finally {
      lock.release();
    }
  }

  async #examine(): Promise<Examined> {
    try {
      const { manifest } = readManifest(await this.#text(), display(this.paths.manifest));
      return { manifest, broken: checkGraph(manifest) };
    } catch (error) {
      if (!(error instanceof LaminaError)) throw error;
      return { manifest: undefined, unreadable: error };
    }
  }

  async #text(): Promise<string> {
    const where = display(this.paths.manifest);
    try {
      return await readFile(toBuffer(this.paths.manifest), 'utf8');
    } catch (error) {
      if (isSystemError(error, 'ENOENT')) {
        throw damaged(`${where} is missing`, {
          code: 'MANIFEST_MISSING',
          hint: 'restore it from a backup of the store',
        });
      }
      throw damaged(`${where} cannot be read: ${messageOf(error)}`, {
        code: 'MANIFEST_UNREADABLE',
        hint: 'mend what stands in the way',
        cause: error,
      });
    }
  }

  async #load(): Promise<Loaded> {
    const where = display(this.paths.manifest);
    const text = await this.#text();
    const { manifest, version } = readManifest(text, where);
    const [fault] = checkGraph(manifest);
    if (fault === undefined) return { manifest, older: version < manifestVersion ? { version, text } : undefined };
    throw damaged(`${where} contradicts itself: ${fault.message}`, {
      code: 'GRAPH_DAMAGED',
      hint: 'restore it from a backup of the store',
    });
  }

  async #lock(mode: LockMode): Promise<Lock> {
    try {
      await stat(toBuffer(this.paths.nodes));
    } catch (error) {
      if (!isSystemError(error, 'ENOENT', 'ENOTDIR'))
        throw failed(`cannot look into the store: ${messageOf(error)}`, { cause: error });
      throw notFound(`there is no store at ${display(this.paths.root)}`, {
        code: 'NO_STORE',
        hint: 'make one with: lamina init',
      });
    }
    try {
      return await acquireLock(this.paths.lock, mode, { timeoutMs: lockPatience });
    } catch (error) {
      if (!(error instanceof LockHeld)) throw error;
      const holder = (await readFile(toBuffer(this.paths.lock), 'utf8')).trim();
      throw refused(`the store ${display(this.paths.root)} is in use${holder === '' ? '' : ` by ${holder}`}`, {
        code: 'STORE_BUSY',
        hint: 'try again when that command has ended',
        cause: error,
      });
    }
  }

  /** Who holds the lock, for those who wait in vain. The lock is the flock; these words are for people only. */
  async #announce(): Promise<void> {
    const handle = await open(toBuffer(this.paths.lock), constants.O_WRONLY | constants.O_TRUNC);
    try {
      await handle.write(`process ${process.pid} (${process.argv.slice(2, 5).join(' ')})\n`);
    } finally {
      await handle.close();
    }
  }
}

/** Makes an empty store. @throws LaminaError refused: something is there; failed: the file system cannot hold overlay trees */
export async function initStore(root: BytePath): Promise<Store> {
  const store = new Store(root);
  const { paths } = store;
  const made = await makeRoot(root);
  try {
    checkFileSystem(root);
    for (const directory of [paths.nodes, paths.updates, paths.transactions, paths.asides, paths.mounts]) {
      await makeDirectoryDurably(directory, 0o700);
    }
    await writeFileDurably(paths.lock, '');
    await writeFileDurably(paths.manifest, serialiseManifest(emptyManifest()));
  } catch (error) {
    if (made) await removeDurably(root);
    else for (const name of await readdir(toBuffer(root), 'buffer')) await removeDurably(join(root, fromBuffer(name)));
    throw error;
  }
  return store;
}

/** True where the directory was made; false where an empty one was there. */
async function makeRoot(root: BytePath): Promise<boolean> {
  let names: Buffer[];
  try {
    names = await readdir(toBuffer(root), 'buffer');
  } catch (error) {
    if (isSystemError(error, 'ENOTDIR'))
      throw refused(`${display(root)} is not a directory`, { hint: 'choose another place with --store' });
    if (!isSystemError(error, 'ENOENT'))
      throw failed(`cannot read ${display(root)}: ${messageOf(error)}`, { cause: error });
    await mkdir(toBuffer(root), { recursive: true, mode: 0o700 });
    return true;
  }
  if (names.length === 0) return false;
  const isStore = names.some((name) => fromBuffer(name) === 'manifest.json');
  if (isStore)
    throw refused(`there is a store at ${display(root)} already`, {
      code: 'STORE_EXISTS',
      hint: 'use it, or choose another place with --store',
    });
  throw refused(`${display(root)} is not empty`, { code: 'NOT_EMPTY', hint: 'choose an empty directory with --store' });
}

/** Overlay trees need extended attributes and whiteouts. */
function checkFileSystem(root: BytePath): void {
  const mark = `${markNamespace()}.overlay.opaque`;
  try {
    setXattrSync(root, mark, Buffer.from('n'));
    removeXattrSync(root, mark);
  } catch (error) {
    throw failed(`the file system of ${display(root)} does not take the attribute ${mark}: ${messageOf(error)}`, {
      code: 'NO_XATTRS',
      hint: 'keep the store on a file system with extended attributes: ext4, xfs, btrfs, tmpfs',
      cause: error,
    });
  }
  try {
    const probe = join(root, '.whiteout');
    makeWhiteoutSync(probe);
    unlinkSync(toBuffer(probe));
  } catch (error) {
    throw failed(`the file system of ${display(root)} holds no whiteouts: ${messageOf(error)}`, {
      code: 'NO_WHITEOUTS',
      hint: 'keep the store on a local file system: ext4, xfs, btrfs, tmpfs',
      cause: error,
    });
  }
}
