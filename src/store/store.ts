import { constants, readFileSync } from 'node:fs';
import { open, readFile, readdir, stat } from 'node:fs/promises';
import { display, shellWord, toBuffer } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import type { Removing } from '../base/steps.js';
import { commandWords } from '../base/this-command.js';
import {
  LaminaError,
  accessHint,
  damaged,
  failed,
  isSystemError,
  messageOf,
  notFound,
  refused,
} from '../base/errors.js';
import { checkGraph, checkStep, manifestVersion, readManifest } from '../manifest/index.js';
import type { Finding, Manifest } from '../manifest/index.js';
import { writeFileDurably } from '../platform/durable.js';
import { LockHeld, acquireLock, lockHolder } from '../platform/lock.js';
import type { Lock, LockMode } from '../platform/lock.js';
import { recordChecked, wasChecked } from './checked-manifest.js';
import type { Left } from './clearing.js';
import { findGarbage, removeGarbage, unknownUpdates } from './garbage.js';
import { manifestBytes } from './manifest-bytes.js';
import type { LoadedManifest } from './manifest-bytes.js';
import { markNamespace } from './marks.js';
import { checkMarks, checkOwnership } from './ownership.js';
import type { Garbage } from './garbage.js';
import { retireUpdates } from './history-keep.js';
import { StorePaths } from './paths.js';
import { recoverDead } from './recovery.js';
import type { Recovery } from './recovery.js';
import { lockPatience } from './lock-patience.js';
import { UpgradedIndexes } from './upgraded-indexes.js';

/** Writes the new manifest: the one step that makes a change visible. */
export type Publish = (manifest: Manifest) => Promise<void>;

/** A change was made, but the disk failed before it was durable, and again while it was undone. */
export class Published extends LaminaError {
  constructor(cause: unknown) {
    super('failed', 'the change was made, but the disk failed before the change was certain to be durable', {
      code: 'NOT_SYNCED',
      hint: 'repair the disk, then run lamina verify',
      cause,
    });
  }
}

interface Loaded extends LoadedManifest {
  /** Whether that is known to be as it was published. */
  readonly checked: boolean;
  /** What it was read from, where that is of an older version of the format. */
  readonly older: { readonly version: number; readonly text: string } | undefined;
}

/** What `examine` finds: a manifest and the rules it breaks, or why there is none. */
export type Examined =
  | { readonly manifest: Manifest; readonly broken: readonly Finding[] }
  | { readonly manifest: undefined; readonly unreadable: LaminaError };

export class Store {
  readonly paths: StorePaths;
  readonly indexes = new UpgradedIndexes();

  /** @param interruption of the command, as far as one can be noticed: ends its waiting for other commands */
  constructor(
    root: BytePath,
    private readonly interruption: () => AbortSignal | undefined = () => undefined,
  ) {
    this.paths = new StorePaths(root);
  }

  /**
   * The manifest as it is now. @throws LaminaError notFound, damaged; refused: another command changes the store for
   * too long
   */
  async read(): Promise<Manifest> {
    const lock = await this.#lock('shared');
    try {
      return (await this.#load()).manifest;
    } finally {
      lock.release();
    }
  }

  /**
   * Runs `work` with the store held exclusively, after clearing away what crashed commands left. What `work` publishes
   * is durable when `publish` returns; it may publish once at the most, and then remove what the new manifest does not
   * refer to.
   */
  async change<T>(work: (manifest: Manifest, publish: Publish) => Promise<T>): Promise<T> {
    const lock = await this.#lock('exclusive');
    try {
      await this.#announce();
      const loaded = await this.#load();
      await recoverDead(this.paths, loaded.manifest);
      return await work(loaded.manifest, (next) => this.#publish(next, loaded));
    } finally {
      lock.release();
    }
  }

  /** Finds what nothing refers to and, unless it is a dry run, removes it. @throws LaminaError as `removeGarbage` */
  async collectGarbage(dryRun: boolean, removing: Removing = {}): Promise<{ found: Garbage[]; left: readonly Left[] }> {
    const lock = await this.#lock('exclusive');
    try {
      await this.#announce();
      const { manifest } = await this.#load();
      if (!dryRun) await retireUpdates(this.paths, unknownUpdates(this.paths, manifest));
      const found = await findGarbage(this.paths, manifest);
      return { found, left: dryRun ? [] : await removeGarbage(this.paths, manifest, found, removing) };
    } finally {
      lock.release();
    }
  }

  /** Clears away what crashed commands left, as every change does before it begins. */
  async recover(): Promise<Recovery> {
    const lock = await this.#lock('exclusive');
    try {
      await this.#announce();
      return await recoverDead(this.paths, (await this.#load()).manifest);
    } finally {
      lock.release();
    }
  }

  /** @throws Published: the new manifest is in place nevertheless; after any other error the old one is */
  async #publish(manifest: Manifest, loaded: Loaded): Promise<void> {
    const { older, text, checked } = loaded;
    const [fault] = checkStep(loaded.manifest, manifest);
    if (fault !== undefined)
      throw failed(`internal error: the change would break the graph: ${fault.message}`, { code: 'INTERNAL' });
    if (older !== undefined) await writeFileDurably(this.paths.olderManifest(older.version), older.text);
    const before = checked ? loaded : undefined;
    const next = manifestBytes({ ...manifest, marks: manifest.marks ?? markNamespace() }, before);
    try {
      await writeFileDurably(this.paths.manifest, next);
    } catch (error) {
      if (!(await this.#bytes()).equals(Buffer.concat(next))) throw error;
      await this.#takeBack(text, error);
      throw error;
    }
    recordChecked(this.paths, next);
  }

  /** The new manifest has its name, but may not be on disk. */
  async #takeBack(text: string, reason: unknown): Promise<void> {
    try {
      await writeFileDurably(this.paths.manifest, text);
    } catch (error) {
      if ((await this.#text()) !== text) throw new Published(new AggregateError([reason, error]));
    }
  }

  /**
   * For verify: runs `work` on the manifest as it is, with the graph's broken rules. The store cannot change until it
   * is done.
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
    let manifest: Manifest;
    try {
      ({ manifest } = readManifest(await this.#text(), display(this.paths.manifest)));
    } catch (error) {
      if (!(error instanceof LaminaError)) throw error;
      return { manifest: undefined, unreadable: error };
    }
    checkMarks(manifest.marks, this.paths.root);
    return { manifest, broken: checkGraph(manifest) };
  }

  async #text(): Promise<string> {
    return (await this.#bytes()).toString('utf8');
  }

  async #bytes(): Promise<Buffer> {
    const where = display(this.paths.manifest);
    try {
      return readFileSync(toBuffer(this.paths.manifest));
    } catch (error) {
      if (isSystemError(error, 'ENOENT')) {
        if (await this.#isUnfinished()) throw noStore(this.paths.root);
        throw damaged(`${where} is missing`, {
          code: 'MANIFEST_MISSING',
          hint: 'restore it from a backup of the store',
        });
      }
      if (isSystemError(error, 'EACCES', 'EPERM')) throw error;
      throw damaged(`${where} cannot be read: ${messageOf(error)}`, {
        code: 'MANIFEST_UNREADABLE',
        hint: 'repair or remove what prevents reading it',
        cause: error,
      });
    }
  }

  /** Whether an init was cut short: there is nothing yet that a manifest could name. */
  async #isUnfinished(): Promise<boolean> {
    const { nodes, updates } = this.paths;
    for (const directory of [nodes, updates]) {
      if ((await isThere(directory)) && (await readdir(toBuffer(directory))).length > 0) return false;
    }
    return true;
  }

  async #load(): Promise<Loaded> {
    const where = display(this.paths.manifest);
    const bytes = await this.#bytes();
    const checked = wasChecked(this.paths, [bytes]);
    const text = bytes.toString('utf8');
    const { manifest, version } = readManifest(text, where, checked);
    checkMarks(manifest.marks, this.paths.root);
    const [fault] = checked ? [] : checkGraph(manifest);
    if (fault === undefined)
      return { manifest, text, bytes, checked, older: version < manifestVersion ? { version, text } : undefined };
    throw damaged(`${where} contradicts itself: ${fault.message}`, {
      code: 'GRAPH_DAMAGED',
      hint: 'restore it from a backup of the store',
    });
  }

  async #lock(mode: LockMode): Promise<Lock> {
    checkOwnership(this.paths);
    try {
      await stat(toBuffer(this.paths.nodes));
    } catch (error) {
      if (!isSystemError(error, 'ENOENT', 'ENOTDIR'))
        throw failed(`cannot read the store: ${messageOf(error)}`, { ...accessHint(error), cause: error });
      throw noStore(this.paths.root);
    }
    // What clears up after an interruption waits nevertheless.
    const signal = this.interruption();
    const waiting = { timeoutMs: lockPatience, signal: signal?.aborted === true ? undefined : signal };
    try {
      return await acquireLock(this.paths.lock, mode, waiting);
    } catch (error) {
      if (!(error instanceof LockHeld)) throw error;
      // A holder in another PID namespace is known only by its note in the lock file; a reader leaves none.
      const holder = lockHolder(this.paths.lock) ?? (await readFile(toBuffer(this.paths.lock), 'utf8')).trim();
      throw refused(`the store ${display(this.paths.root)} is in use${holder === '' ? '' : ` by ${holder}`}`, {
        code: 'STORE_BUSY',
        hint: 'try again after that command has ended',
        cause: error,
      });
    }
  }

  /**
   * Who holds the lock, for the error of a command that waited too long. The lock is the flock; the note is for people
   * only.
   */
  async #announce(): Promise<void> {
    const handle = await open(toBuffer(this.paths.lock), constants.O_WRONLY | constants.O_TRUNC);
    try {
      await handle.write(`process ${process.pid} (${commandWords().slice(0, 3).join(' ')})\n`);
    } finally {
      await handle.close();
    }
  }
}

function noStore(root: BytePath): LaminaError {
  return notFound(`there is no store at ${display(root)}`, {
    code: 'NO_STORE',
    hint: `make one with: lamina --store ${shellWord(root)} init`,
  });
}

export async function isThere(path: BytePath): Promise<boolean> {
  try {
    await stat(toBuffer(path));
    return true;
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return false;
    throw error;
  }
}
