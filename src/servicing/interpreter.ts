import { closeSync, openSync, readSync } from 'node:fs';
import { display, toBuffer } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { failed } from '../base/errors.js';
import { follow } from './isolation/follow.js';
import type { RootReader } from './isolation/root.js';

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

/** What the `#!` line at the start of a script names; undefined where there is no such line, '' where it names nothing. */
export function interpreterOf(start: Buffer): string | undefined {
  const text = start.toString('latin1');
  if (!text.startsWith('#!')) return undefined;
  return /^#![ \t]*([^ \t\n\0]*)/.exec(text)?.[1] ?? '';
}

/**
 * Refuses a script whose interpreter a root does not have: the sandbox could only report ENOENT.
 * @param root read outside the procedure's mount: a lookup there that is not recorded would leave a dentry in the
 * kernel, and the procedure's own use of that name would then be missing from the read set
 * @param covered directories over which the sandbox mounts
 * @throws LaminaError failed
 */
export function checkInterpreter(script: BytePath, root: RootReader, covered: readonly BytePath[]): void {
  const interpreter = interpreterOf(startOf(script));
  if (interpreter === undefined) return;
  const led = follow(root, interpreter, covered);
  if (led.kind === 'found' || led.kind === 'covered') return;
  throw failed(`the procedure's interpreter ${display(interpreter)} is missing in the root that it is run in`, {
    code: 'NO_INTERPRETER',
    hint: 'name one that the base has in the first line of the script, such as #!/bin/sh',
  });
}
