import type { BytePath } from '../../../src/base/bytes.js';
import { MemoryListing, makeEntry } from '../../../src/changeset/index.js';
import type { Entry } from '../../../src/changeset/index.js';

export type Fields = Partial<Omit<Entry, 'path'>>;

export const directory: Fields = { type: 'directory' };
export const whiteout: Fields = { type: 'whiteout' };
/** @param content a number for its bytes: files of one number have the same */
export const file = (content: number, fields: Fields = {}): Fields => ({
  size: 10,
  contentHash: BigInt(content),
  ...fields,
});

export function tree(entries: Record<string, Fields>): MemoryListing {
  return new MemoryListing(Object.entries(entries).map(([path, fields]) => makeEntry({ ...fields, path })));
}

export const at = (path: string) => path as BytePath;
