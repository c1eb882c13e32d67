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
  /** @throws LaminaError refused: it is an image, or empty; a tar is checked only when it is staged */
  readonly check: () => void;
  /**
   * Stages it as a layer. @throws LaminaError refused: the archive is unsafe, or as `check`; failed: it cannot be read
   * or written
   */
  readonly stage: (transaction: Transaction) => Promise<SealedNode>;
}

/** Holds a directory or a tar for `work`. @throws LaminaError notFound: no such source; usage: it is neither */
export async function withImportSource<T>(
  source: BytePath,
  options: BaseOptions,
  work: (source: ImportSource) => Promise<T>,
): Promise<T> {
  const called = { ...options, calledAs: options.calledAs ?? display(source) };
  return holdSource(source, async (at) => {
    const isDirectory = checkSource(at, called.calledAs);
    if (isDirectory && options.maxBytes !== undefined)
      throw usage('--max-size does nothing here: a directory is not unpacked', {
        code: 'IDLE_OPTION',
        hint: 'leave --max-size out',
      });
    const check = () => {
      if (isDirectory) checkRoot(at, called);
    };
    const stage = async (transaction: Transaction) => {
      const node = transaction.stage('base-layer');
      await (isDirectory ? importDirectory : importTar)(at, node.tree, called);
      if (!isDirectory) checkRoot(node.tree, called);
      return transaction.seal(node, called.signal);
    };
    return work({ check, stage });
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

function checkSource(source: BytePath, called: string): boolean {
  const status = statSync(toBuffer(source));
  if (status.isDirectory()) return true;
  if (status.isFile()) return false;
  throw usage(`${called} is neither a directory nor a file`, { hint: 'give a directory or a tar archive' });
}

async function holdSource<T>(source: BytePath, work: (at: BytePath) => Promise<T>): Promise<T> {
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
