import { mkdirSync, readdirSync, statSync } from 'node:fs';
import { components, display, fromBuffer, join, toBuffer } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { newId } from '../base/ids.js';
import { temporaryDirectory } from '../platform/command-line.js';
import { withHeld } from '../platform/held.js';
import { removeTree } from '../platform/walk.js';
import { importTar } from '../store/index.js';
import { nameFrom, readFields } from './procedure.js';
import type { GivenProcedure } from './procedure.js';
import type { PackageFields } from './update-json.js';

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
  return (await fieldsOf({ source, from, form }, maxBytes)).base;
}

/** What a package says about itself. */
export interface DescribedPackage {
  /** By default from that of its file or directory. */
  readonly name: string;
  readonly base: string | undefined;
  /** The versions of the base that it upgrades. */
  readonly from: string | undefined;
  /** The version that it makes. */
  readonly to: string | null;
}

/** What a package says about itself, without unpacking all of it. @throws LaminaError as `intendedBase` */
export async function describePackage(given: GivenProcedure, maxBytes?: number): Promise<DescribedPackage> {
  const { name, base, from, to } = await fieldsOf(given, maxBytes);
  return { name: name ?? nameFrom(given.source), base, from, to: to ?? null };
}

async function fieldsOf({ source, from, form }: GivenProcedure, maxBytes?: number): Promise<PackageFields> {
  return withHeld(from, async ({ at }) =>
    form === 'directory' ? readFields(at, source) : archivedFields(at, source, maxBytes),
  );
}

async function archivedFields(at: BytePath, source: BytePath, maxBytes?: number): Promise<PackageFields> {
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
    return await readFields(packageRoot(tree), source);
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
