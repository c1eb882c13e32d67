import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs';
import { toBuffer } from '../base/bytes.js';
import { openFlags } from '../platform/open-flags.js';
import { namePattern } from '../manifest/names.js';
import { locateStore } from '../store/location.js';
import { StorePaths } from '../store/paths.js';

/** The names in a store, in order. */
export interface StoreNames {
  readonly containers: readonly string[];
  readonly bases: readonly string[];
  readonly updates: readonly string[];
}

const none: StoreNames = { containers: [], bases: [], updates: [] };

/**
 * Reads them from the manifest alone: without a lock, because it is replaced as a whole, and without looking at the
 * rest of the store. Where there is no manifest, or it cannot be read or belongs to another user, there are none: a
 * shell that completes has no place for an error.
 * @param option what was typed for --store
 */
export function storeNames(option: string | undefined): StoreNames {
  try {
    return namesIn(ownText(option?.replace(/^~(?=\/)/, process.env['HOME'] ?? '~')));
  } catch {
    return none;
  }
}

/** The shell's user may be root: a file that another user put there must neither block nor be read. */
function ownText(option: string | undefined): string {
  const { manifest } = new StorePaths(locateStore(option));
  const descriptor = openSync(toBuffer(manifest), openFlags.read);
  try {
    const status = fstatSync(descriptor);
    if (!status.isFile() || status.uid !== process.geteuid?.()) throw new Error('not the own manifest of the caller');
    return readFileSync(descriptor, 'utf8');
  } finally {
    closeSync(descriptor);
  }
}

function namesIn(text: string): StoreNames {
  const { containers, bases, updates } = JSON.parse(text) as Record<string, Record<string, unknown>>;
  const updateNames = Object.values(updates ?? {}).map((update) => (update as { name?: unknown }).name);
  return {
    containers: valid(Object.keys(containers ?? {})),
    bases: valid(Object.keys(bases ?? {})),
    updates: valid(updateNames),
  };
}

/** Nothing else comes into a command line, or onto a terminal. */
function valid(names: readonly unknown[]): string[] {
  const texts = names.filter((name): name is string => typeof name === 'string' && namePattern.test(name));
  return [...new Set(texts)].sort();
}
