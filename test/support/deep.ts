import { chdir, cwd } from 'node:process';
import { mkdirSync, writeFileSync } from 'node:fs';

/**
 * Directories of one name, one in the other, with a file in the last: by steps, for the whole path may be longer than
 * the kernel takes.
 */
export function makeDeep(directory: string, depth: number, name = 'd'): void {
  const here = cwd();
  chdir(directory);
  try {
    for (let level = 0; level < depth; level++) {
      mkdirSync(name);
      chdir(name);
    }
    writeFileSync('bottom', 'deep');
  } finally {
    chdir(here);
  }
}

/** How deep it is. */
export function depthOf(directory: string, name = 'd'): number {
  const here = cwd();
  chdir(directory);
  try {
    for (let level = 0; ; level++) {
      try {
        chdir(name);
      } catch (error) {
        if (String(error).includes('ENOENT')) return level;
        throw error;
      }
    }
  } finally {
    chdir(here);
  }
}
