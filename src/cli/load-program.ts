import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { Script } from 'node:vm';
import { isSystemError } from '../base/errors.js';
import type { start } from './start.js';

/** The name of the bundled program, set when it is built. */
declare const __LAMINA_PROGRAM__: string;

interface Program {
  readonly start: typeof start;
}

type Wrapper = (exports: object, require: NodeJS.Require, module: { exports: object }, url: string) => void;

/**
 * Loads the bundled program, which lies beside this file (scripts/bundle.mjs). Its code comes compiled: to compile it
 * takes longer than most commands do. V8 refuses code of another version of itself or for other flags, and compiles
 * then.
 */
export function loadProgram(): Program {
  const { url } = import.meta;
  const filename = fileURLToPath(new URL(__LAMINA_PROGRAM__, url));
  const cachedData = compiled(filename);
  const script = new Script(readFileSync(filename, 'latin1'), { filename, ...(cachedData && { cachedData }) });
  const module = { exports: {} };
  (script.runInThisContext() as Wrapper)(module.exports, createRequire(url), module, url);
  return module.exports as Program;
}

function compiled(filename: string): Buffer | undefined {
  try {
    return readFileSync(`${filename}.cache`);
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return undefined;
    throw error;
  }
}
