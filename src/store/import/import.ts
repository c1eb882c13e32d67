import { readdirSync, statSync } from 'node:fs';
import { display, toBuffer } from '../../base/bytes.js';
import type { BytePath } from '../../base/bytes.js';
import { failed, isSystemError, messageOf, notFound, refused, usage } from '../../base/errors.js';
import { holdPath } from '../../platform/held.js';
import type { Held } from '../../platform/held.js';
import type { SealedNode } from '../../manifest/index.js';
import type { Transaction } from '../transaction.js';
import { importDirectory } from './directory.js';
import type { ImportOptions } from './directory.js';
import { imageError } from './image-source.js';
import { standardInput, standardInputAt, withSpooled } from './stream-source.js';
import { importTar } from './tar.js';

export type { ImportOptions, ImportProgress } from './directory.js';

export interface BaseOptions extends ImportOptions {
  /** Of the content. */
  readonly version?: string | undefined;
  /** Whether an empty source is allowed. */
  readonly allowEmpty?: boolean | undefined;
}

/** The held source of an import: what its name leads to later does not matter. */
export interface ImportSource {
  /** For system calls, while it is held. */
  readonly at: BytePath;
  readonly isDirectory: boolean;
  /** @throws LaminaError refused: it is an image, or empty; a tar is checked only when it is staged */
  readonly check: () => void;
  /**
   * Writes it into a fresh tree; gives hashes of files that are known already. @throws LaminaError as `stage`
   */
  readonly write: (tree: BytePath) => Promise<ReadonlyMap<BytePath, bigint>>;
  /**
   * Stages it as a layer. @throws LaminaError refused: the archive is unsafe, or as `check`; failed: it cannot be read
   * or written
   */
  readonly stage: (transaction: Transaction) => Promise<SealedNode>;
}

/**
 * Holds a directory or a tar for `work`. A tar may come through a FIFO, or through a pipe as `standardInput`.
 * @throws LaminaError notFound: no such source; usage: it is neither
 */
export async function withImportSource<T>(
  source: BytePath,
  options: BaseOptions,
  work: (source: ImportSource) => Promise<T>,
): Promise<T> {
  const calledAs = options.calledAs ?? (source === standardInput ? 'standard input' : display(source));
  const called = { ...options, calledAs };
  return holdSource(source, async (at) => {
    const kind = kindOf(at, called.calledAs);
    const isDirectory = kind === 'directory';
    if (isDirectory && options.maxBytes !== undefined)
      throw usage('--max-size does nothing here: a directory is not unpacked', {
        code: 'IDLE_OPTION',
        hint: 'leave --max-size out',
      });
    const check = () => {
      if (isDirectory) checkRoot(at, called);
    };
    const write = async (tree: BytePath): Promise<ReadonlyMap<BytePath, bigint>> => {
      if (isDirectory) {
        await importDirectory(at, tree, called);
        return new Map();
      }
      const unpack = async (archive: BytePath) => (await importTar(archive, tree, called)).files.hashes;
      const spool = `${tree}.source` as BytePath;
      const stream = { at, called: calledAs, signal: called.signal };
      const hashes = await (kind === 'file' ? unpack(at) : withSpooled(stream, spool, async () => unpack(spool)));
      checkRoot(tree, called);
      return hashes;
    };
    const stage = async (transaction: Transaction) => {
      const node = transaction.stage('base-layer');
      const hashes = await write(node.tree);
      const known = hashes.size === 0 ? undefined : (path: BytePath) => hashes.get(path);
      return transaction.seal(node, { signal: called.signal, known });
    };
    return work({ at, isDirectory, check, write, stage });
  });
}

/** Whether `tree` may hold the root of a system: it is not empty, and not an image with the root packed in it. */
function checkRoot(
  tree: BytePath,
  { calledAs: called, allowEmpty }: BaseOptions & { readonly calledAs: string },
): void {
  const error = imageError(tree, called);
  if (error !== undefined) throw error;
  if (allowEmpty !== true && readdirSync(toBuffer(tree)).length === 0)
    throw refused(`${called} is empty`, {
      code: 'EMPTY_SOURCE',
      hint: 'give --empty to make a base that holds nothing',
    });
}

function kindOf(source: BytePath, called: string): 'directory' | 'file' | 'stream' {
  const status = statSync(toBuffer(source));
  if (status.isDirectory()) return 'directory';
  if (status.isFile()) return 'file';
  if (status.isFIFO() || (status.isSocket() && source === standardInputAt)) return 'stream';
  throw usage(`${called} is neither a directory nor a file, nor a pipe`, { hint: 'give a directory or a tar archive' });
}

async function holdSource<T>(source: BytePath, work: (at: BytePath) => Promise<T>): Promise<T> {
  if (source === standardInput) return work(standardInputAt);
  let held: Held;
  try {
    held = holdPath(source);
  } catch (error) {
    if (isSystemError(error, 'ENOENT', 'ENOTDIR'))
      throw notFound(`there is no source ${display(source)}`, {
        code: 'NO_SOURCE',
        hint: 'give a directory or a tar archive',
      });
    if (isSystemError(error)) throw failed(`cannot read ${display(source)}: ${messageOf(error)}`, { cause: error });
    throw error;
  }
  try {
    return await work(held.at);
  } finally {
    held.close();
  }
}
