import { mkdirSync, readdirSync, statSync } from 'node:fs';
import { components, display, fromBuffer, join, toBuffer } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { newId } from '../base/ids.js';
import { temporaryDirectory } from '../platform/command-line.js';
import { withHeld } from '../platform/held.js';
import { removeTree } from '../platform/walk.js';
import { importTar } from '../store/index.js';
import { readFields } from './procedure.js';
import type { GivenProcedure } from './procedure.js';

/**
 * The base that a package says it is for; undefined: it names none, and scripts never do.
 * @param maxBytes `ImportOptions.maxBytes`
 * @throws LaminaError as `checkProcedure`; refused: an unsafe archive, or one beyond a limit; failed: a broken one
 */
export async function intendedBase(
  { source, from, form }: GivenProcedure,
  maxBytes?: number,
): Promise<string | undefined> {
  if (form === 'script') return undefined;
  return withHeld(from, async ({ at }) =>
    form === 'directory' ? (await readFields(at, source)).base : archivedBase(at, source, maxBytes),
  );
}

async function archivedBase(at: BytePath, source: BytePath, maxBytes?: number): Promise<string | undefined> {
  const scratch = join(temporaryDirectory(), `lamina-package-${newId('m')}`);
  mkdirSync(toBuffer(scratch), { mode: 0o700 });
  try {
    const tree = join(scratch, 'tree');
    await importTar(
      at,
      tree,
      // Almost none of it is written: the free space there does not matter.
      { calledAs: display(source), maxBytes, freeBytes: Number.MAX_SAFE_INTEGER },
      { special: (path, isFile) => !mayLeadToDescription(path, isFile) },
    );
    return (await readFields(packageRoot(tree), source)).base;
  } finally {
    removeTree(scratch);
  }
}

/** An archive holds the content of the package's directory, or the directory itself. */
function mayLeadToDescription(path: BytePath, isFile: boolean): boolean {
  const parts = components(path);
  return isFile ? parts.length <= 2 && parts.at(-1) === 'update.json' : parts.length <= 1;
}

function packageRoot(tree: BytePath): BytePath {
  const names = readdirSync(toBuffer(tree), 'buffer').map(fromBuffer);
  if (names.includes('update.json' as BytePath)) return tree;
  const outer = names.map((name) => join(tree, name)).find((path) => isFile(join(path, 'update.json')));
  return outer ?? tree;
}

function isFile(path: BytePath): boolean {
  return statSync(toBuffer(path), { throwIfNoEntry: false })?.isFile() === true;
}
