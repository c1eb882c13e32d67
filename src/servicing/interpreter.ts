import { lstatSync, openSync, closeSync, readSync, readlinkSync } from 'node:fs';
import { toBuffer } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { failed, isSystemError } from '../base/errors.js';

/** The kernel reads no more of a script to find its interpreter (BINPRM_BUF_SIZE, execve(2)). */
const longestLine = 256;
const mostSymlinks = 40;

/** The bytes by which the kernel tells what a program is. */
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
 * Refuses a script whose interpreter a root does not have: the sandbox could only say that nothing is there.
 * @param provided directories that the sandbox mounts over the root's own
 * @throws LaminaError failed
 */
export function checkInterpreter(script: BytePath, root: BytePath, provided: readonly string[]): void {
  const interpreter = interpreterOf(startOf(script));
  if (interpreter === undefined || provided.some((directory) => interpreter.startsWith(`${directory}/`))) return;
  if (existsIn(root, interpreter)) return;
  throw failed(`the procedure's interpreter ${interpreter} is missing in the root that it is run in`, {
    code: 'NO_INTERPRETER',
    hint: 'name one that the base has in the first line of the script, such as #!/bin/sh',
  });
}

/** Whether a path leads to something with `root` as the root directory; symlinks do not lead out of it. */
function existsIn(root: BytePath, path: string): boolean {
  let rest = path.split('/');
  let at: string[] = [];
  for (let followed = 0; rest.length > 0;) {
    const [name = '', ...others] = rest;
    rest = others;
    if (name === '' || name === '.') continue;
    if (name === '..') {
      at.pop();
      continue;
    }
    const real = toBuffer([root, ...at, name].join('/') as BytePath);
    try {
      if (!lstatSync(real).isSymbolicLink()) {
        at.push(name);
        continue;
      }
    } catch (error) {
      if (isSystemError(error, 'ENOENT', 'ENOTDIR')) return false;
      throw error;
    }
    if (++followed > mostSymlinks) return false;
    const target = readlinkSync(real, 'latin1');
    if (target.startsWith('/')) at = [];
    rest = [...target.split('/'), ...rest];
  }
  return true;
}
