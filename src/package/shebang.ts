import { closeSync, openSync, readSync } from 'node:fs';
import { toBuffer } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';

/** The kernel reads no more of a script to find its interpreter (BINPRM_BUF_SIZE, execve(2)). */
const longestLine = 256;

/** The bytes by which the kernel recognises the kind of a program. */
export function startOf(program: BytePath): Buffer {
  const start = Buffer.alloc(longestLine);
  const descriptor = openSync(toBuffer(program), 'r');
  try {
    return start.subarray(0, readSync(descriptor, start, 0, longestLine, 0));
  } finally {
    closeSync(descriptor);
  }
}

/**
 * What the `#!` line at the start of a script names; undefined where there is no such line, '' where it names nothing.
 */
export function interpreterOf(start: Buffer): string | undefined {
  const text = start.toString('latin1');
  if (!text.startsWith('#!')) return undefined;
  return /^#![ \t]*([^ \t\n\0]*)/.exec(text)?.[1] ?? '';
}
