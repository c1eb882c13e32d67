import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';

/**
 * Makes a file or a tree that many test files need alike. In a run of scripts/test, which names a directory for that,
 * it is made once and then copied; every user has copies of what that user made.
 *
 * @param name of the same content whoever asks for it
 */
export function madeOnce(name: string, destination: string, make: (at: string) => void): void {
  const kept = keptAt(name);
  if (kept === undefined) {
    make(destination);
    return;
  }
  if (!existsSync(kept)) keep(kept, make);
  place(kept, destination);
}

/** The same of what takes time to make. */
export async function madeOnceAsync(
  name: string,
  destination: string,
  make: (at: string) => Promise<void>,
): Promise<void> {
  const kept = keptAt(name);
  if (kept === undefined) return make(destination);
  if (!existsSync(kept)) {
    await make(destination);
    keep(kept, (at) => copyTree(destination, at));
  } else place(kept, destination);
}

function keptAt(name: string): string | undefined {
  const directory = process.env['LAMINA_TEST_MADE'];
  return directory === undefined ? undefined : join(directory, `${String(process.getuid?.())}-${name}`);
}

/** Another process may be as far at the same time: the first to rename wins. */
function keep(kept: string, make: (at: string) => void): void {
  const fresh = mkdtempSync(`${kept}-`);
  try {
    make(join(fresh, 'made'));
    if (!existsSync(kept)) renameSync(join(fresh, 'made'), kept);
  } catch (error) {
    if (!existsSync(kept)) throw error;
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
}

/** The destination may be an empty directory. */
function place(kept: string, destination: string): void {
  mkdirSync(dirname(destination), { recursive: true });
  copyTree(kept, destination, '--no-target-directory');
}

/** A tree as GNU cp copies it: owners, times, hard links, attributes. */
export function copyTree(from: string, to: string, ...options: string[]): void {
  const done = spawnSync('cp', ['--archive', ...options, from, to], { encoding: 'utf8' });
  if (done.status !== 0) throw new Error(`cp failed: ${done.stderr}`);
}
