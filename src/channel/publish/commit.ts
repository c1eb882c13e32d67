import { mkdir, readdir, readFile, stat } from 'node:fs/promises';
import { dirname, fromBuffer, fromText, join, toBuffer, toText } from '../../base/bytes.js';
import type { BytePath } from '../../base/bytes.js';
import { isSystemError } from '../../base/errors.js';
import { removeDurably, renameDurably, stageFile, syncEach, writeFileDurably } from '../../platform/durable.js';
import type { Places } from './places.js';

/** A file of the channel: its path below `public`, and its content. */
export interface NewFile {
  readonly path: string;
  readonly bytes: Buffer;
}

/** Slashes of a path in the one name that it has while it is staged; no path of a channel holds the character. */
const slash = '%';

/**
 * Puts files in force together: after a crash there are all of them or none, although a server may be reading. They are
 * staged, a rename decides, and then each is copied to its place, the timestamp last; a copying that was interrupted is
 * finished by the next command (`finishCommit`).
 */
export async function commitFiles(places: Places, files: readonly NewFile[]): Promise<void> {
  await removeDurably(places.staged);
  await mkdir(toBuffer(places.staged), { mode: 0o700 });
  for (const { path, bytes } of files) stageFile(join(places.staged, fromText(path.replaceAll('/', slash))), bytes);
  await syncEach(places.staged);
  await renameDurably(places.staged, places.pending, 'noreplace');
  await finishCommit(places);
}

/** Finishes a change that is in force, if one was interrupted. */
export async function finishCommit(places: Places): Promise<void> {
  if (!(await exists(places.pending))) return;
  const names = (await readdir(toBuffer(places.pending), { encoding: 'buffer' })).map(fromBuffer).sort(timestampLast);
  for (const name of names) {
    const path = places.published(toText(name).replaceAll(slash, '/'));
    await mkdir(toBuffer(dirname(path)), { recursive: true });
    await writeFileDurably(path, await readFile(toBuffer(join(places.pending, name))));
  }
  await removeDurably(places.pending);
}

/** A new root is seen as soon as it is there, and may need the new timestamp: so it comes just before that. */
function timestampLast(a: BytePath, b: BytePath): number {
  const rank = (name: string) => (name.endsWith(`${slash}timestamp.json`) ? 2 : name.endsWith('.root.json') ? 1 : 0);
  return rank(a) - rank(b) || (a < b ? -1 : 1);
}

async function exists(path: BytePath): Promise<boolean> {
  try {
    await stat(toBuffer(path));
    return true;
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return false;
    throw error;
  }
}
