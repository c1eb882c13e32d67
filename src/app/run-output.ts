import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { fromBuffer, toBuffer, toText } from '../base/bytes.js';
import { isSystemError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import { openFlags } from '../platform/open-flags.js';
import { runOf } from '../store/index.js';
import type { Store } from '../store/index.js';
import { servicedBy } from './log.js';

export interface RunOutputData {
  /** The end of what the procedure printed, byte for byte: see docs/format.md for those that are not UTF-8. */
  readonly output: string;
  /** Of all that is kept. */
  readonly bytes: number;
  /** False: the procedure did not run there. */
  readonly ran: boolean;
}

/** All that a store keeps of one output, with the remark that it omitted the rest. */
export const wholeOutput = limits.output.value + 1024;

/**
 * What the procedure of an update printed. @param container undefined: on the base; @param most bytes
 * @throws LaminaError notFound
 */
export async function runOutput(
  store: Store,
  name: string,
  { container, most }: { readonly container?: string | undefined; readonly most: number },
): Promise<RunOutputData> {
  const { id } = servicedBy(await store.read(), name, container);
  let descriptor: number;
  try {
    descriptor = openSync(toBuffer(runOf(store.paths, id, container).output), openFlags.read);
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return { output: '', bytes: 0, ran: false };
    throw error;
  }
  try {
    const { size } = fstatSync(descriptor);
    const bytes = Buffer.alloc(Math.min(size, most));
    const read = readSync(descriptor, bytes, 0, bytes.length, size - bytes.length);
    return { output: toText(fromBuffer(bytes.subarray(0, read))), bytes: size, ran: true };
  } finally {
    closeSync(descriptor);
  }
}
