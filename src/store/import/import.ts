import { readdirSync, statSync } from 'node:fs';
import { display, toBuffer } from '../../base/bytes.js';
import type { BytePath } from '../../base/bytes.js';
import { failed, isSystemError, messageOf, notFound, refused, usage } from '../../base/errors.js';
import { isoNow } from '../../base/time.js';
import { holdPath } from '../../platform/held.js';
import type { Held } from '../../platform/held.js';
import { addBase, own, validateName } from '../../manifest/index.js';
import type { SealedNode } from '../../manifest/index.js';
import type { Store } from '../store.js';
import { withTransaction } from '../with-transaction.js';
import { importDirectory } from './directory.js';
import type { ImportOptions } from './directory.js';
import { imageError } from './image-source.js';
import { importTar } from './tar.js';

export type { ImportOptions, ImportProgress } from './directory.js';

export interface BaseOptions extends ImportOptions {
  /** Of the content. */
  readonly version?: string | undefined;
  /** Whether a source that holds nothing is meant. */
  readonly allowEmpty?: boolean | undefined;
}

/**
 * Makes a base from a directory or a tar.
 * @throws LaminaError usage: bad name; refused: the name is taken, the archive is unsafe, the source is an image or empty; notFound: no such source; failed: it cannot be read or written
 */
export async function importBase(
  store: Store,
  name: string,
  source: BytePath,
  options: BaseOptions = {},
): Promise<SealedNode> {
  validateName('base', name);
  const calledAs = options.calledAs ?? display(source);
  return holdSource(source, async (at) => importHeld(store, name, at, { ...options, calledAs }));
}

/** @param source what is imported, whatever its name leads to meanwhile */
async function importHeld(
  store: Store,
  name: string,
  source: BytePath,
  options: BaseOptions & { readonly calledAs: string },
): Promise<SealedNode> {
  const version = options.version ?? null;
  const isDirectory = checkSource(source, options.calledAs);
  const manifest = await store.read();
  if (own(manifest.bases, name) !== undefined) {
    throw refused(`a base named '${name}' exists already`, { code: 'BASE_EXISTS', hint: 'choose another name' });
  }
  if (isDirectory) checkRoot(source, options);
  return withTransaction(store, 'import', async (transaction) => {
    const node = transaction.stage('base-layer');
    await (isDirectory ? importDirectory : importTar)(source, node.tree, options);
    if (!isDirectory) checkRoot(node.tree, options);
    const layer = await transaction.seal(node, options.signal);
    await transaction.publish((present) => addBase(present, { name, layer, version, created: isoNow() }));
    return layer;
  });
}

/** Whether what is in `tree` may be the root of a system: not nothing, and not an image with the root packed in it. */
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
