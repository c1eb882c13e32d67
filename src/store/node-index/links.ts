import { closeSync, openSync, readSync } from 'node:fs';
import { toBuffer } from '../../base/bytes.js';
import type { BytePath } from '../../base/bytes.js';
import { openFlags } from '../../platform/open-flags.js';
import { header, headerSize } from './layout.js';

/**
 * Whether a sealed tree has hard links, by the header of its index alone. Who uses the tree reads the whole index, and
 * finds a damaged one.
 */
export function hasLinks(index: BytePath): boolean {
  const file = openSync(toBuffer(index), openFlags.read);
  try {
    const head = Buffer.alloc(headerSize);
    return readSync(file, head, 0, headerSize, 0) === headerSize && head.readUInt32LE(header.groupCount) > 0;
  } finally {
    closeSync(file);
  }
}
