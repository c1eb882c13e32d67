import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  constants,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import * as fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { fromText } from '../../../src/base/bytes.js';
import { View, computeDelta, covered, inodesToReuse, knownHashes } from '../../../src/changeset/index.js';
import { makeWhiteoutSync, mknodSync, setXattrSync } from '../../../src/platform/native.js';
import { syncTree } from '../../../src/platform/durable.js';
import { removeTree } from '../../../src/platform/walk.js';
import { markNamespace } from '../../../src/store/marks.js';
import { materialise } from '../../../src/store/materialise.js';
import type { MaterialiseRequest } from '../../../src/store/materialise.js';
import { linkGroups, scanEntries, scanListing, scanTree } from '../../../src/store/node-index/scan.js';
import type { ScannedEntry } from '../../../src/store/node-index/scan.js';

const root = mkdtempSync(`${tmpdir()}/lamina-rework-`);
afterAll(() => {
  removeTree(fromText(root));
});
const mark = (name: string) => `${markNamespace()}.overlay.${name}`;

/** What is made at a path; a link is one to the path `to`, if that is a file. */
type Item =
  | { readonly kind: 'file'; readonly content: string; readonly mode: number; readonly xattr: boolean }
  | { readonly kind: 'directory'; readonly mode: number; readonly opaque: boolean; readonly impure: boolean }
  | { readonly kind: 'symlink'; readonly target: string }
  | { readonly kind: 'fifo' }
  | { readonly kind: 'whiteout' }
  | { readonly kind: 'link'; readonly to: string }
  /** Of the lower's file at its path, if there is one. */
  | { readonly kind: 'metacopy'; readonly mode: number };

const names = ['a', 'a.b', 'b', 'a/a', 'a/b', 'b/a', 'b/b', 'b/b/a', 'b/b/b', 'a/b/a'];
const mode = fc.constantFrom(0o644, 0o755, 0o4711, 0o400);
const item: fc.Arbitrary<Item> = fc.oneof(
  fc.record({ kind: fc.constant('file' as const), content: fc.constantFrom('', 'x', 'yy'), mode, xattr: fc.boolean() }),
  fc.record({
    kind: fc.constant('directory' as const),
    mode: fc.constantFrom(0o755, 0o700, 0o500),
    opaque: fc.boolean(),
    impure: fc.boolean(),
  }),
  fc.record({ kind: fc.constant('symlink' as const), target: fc.constantFrom('a', '/b') }),
  fc.constant({ kind: 'fifo' as const }),
  fc.constant({ kind: 'whiteout' as const }),
  fc.record({ kind: fc.constant('link' as const), to: fc.constantFrom(...names) }),
  fc.record({ kind: fc.constant('metacopy' as const), mode }),
);
/** Directories first, so that much of it can be made. */
const tree = fc.array(fc.tuple(fc.constantFrom(...names), item), { maxLength: 14 });
type Tree = readonly (readonly [string, Item])[];

/**
 * @param lower sizes of the files below it, by path; undefined: it is the lower
 * @returns those of its own
 */
function make(at: string, content: Tree, lower?: Map<string, number>): Map<string, number> {
  mkdirSync(at);
  const directories: [string, number][] = [];
  const made = new Set([at]);
  const sizes = new Map<string, number>();
  for (const [name, each] of content) {
    const path = join(at, name);
    if (!made.has(dirname(path)) || lstatSync(path, { throwIfNoEntry: false }) !== undefined) continue;
    if (each.kind === 'metacopy' ? lower?.has(name) !== true : each.kind === 'whiteout' && !lower) continue;
    try {
      makeItem(at, path, each, lower?.get(name));
    } catch (error) {
      // What is above or linked to is something else than the item needs.
      if (!['ENOTDIR', 'ENOENT', 'ELOOP', 'EPERM', 'EEXIST'].includes((error as NodeJS.ErrnoException).code ?? ''))
        throw error;
      continue;
    }
    if (each.kind === 'directory') {
      made.add(path);
      directories.push([path, each.mode]);
    }
    if (each.kind === 'file') sizes.set(name, each.content.length);
    lutimesSync(path, 1, 1_600_000_000 + name.length);
  }
  for (const [path, bits] of directories.reverse()) chmodSync(path, bits);
  return sizes;
}

function makeItem(at: string, path: string, each: Item, sizeBelow = 0): void {
  if (each.kind === 'file') {
    writeFileSync(path, each.content);
    if (each.xattr) setXattrSync(fromText(path), 'user.x', Buffer.from('1'));
    chmodSync(path, each.mode);
  } else if (each.kind === 'directory') {
    mkdirSync(path);
    if (each.opaque) setXattrSync(fromText(path), mark('opaque'), Buffer.from('y'));
    if (each.impure) setXattrSync(fromText(path), mark('impure'), Buffer.from('y'));
  } else if (each.kind === 'symlink') symlinkSync(each.target, path);
  else if (each.kind === 'fifo') mknodSync(fromText(path), constants.S_IFIFO | 0o644);
  else if (each.kind === 'whiteout') makeWhiteoutSync(fromText(path));
  else if (each.kind === 'link') linkSync(join(at, each.to), path);
  else {
    writeFileSync(path, Buffer.alloc(sizeBelow));
    setXattrSync(fromText(path), mark('metacopy'), Buffer.alloc(0));
    chmodSync(path, each.mode);
  }
}

/** All that an index says of a tree, but for change times and the times of whiteouts. */
function described(entries: readonly ScannedEntry[]) {
  const groups = linkGroups(entries);
  const first = new Map<number, string>();
  return entries.map((entry) => {
    const { path, stats, xattrs, target, hash } = entry;
    const group = groups.get(entry);
    if (group !== undefined && !first.has(group)) first.set(group, path);
    const isDevice = (Number(stats.mode) & 0o170000) === 0o020000;
    return {
      ...{ path, target, hash, xattrs: [...xattrs].map(([name, value]) => `${name}=${value.toString('latin1')}`) },
      ...{ mode: isDevice ? 0n : stats.mode, uid: stats.uid, gid: stats.gid, rdev: stats.rdev, size: stats.size },
      mtime: isDevice ? 0n : stats.mtimeNs,
      blocks: stats.blocks,
      nlink: stats.isDirectory() ? stats.nlink : 0n,
      linked: group === undefined ? undefined : first.get(group),
    };
  });
}

const byPath = (a: ScannedEntry, b: ScannedEntry) => (a.path < b.path ? -1 : 1);
let last = 0;

/** A delta layer made anew, and by reworking what was captured; and the latter as `materialise` says that it is. */
async function bothWays(lower: Tree, upper: Tree, forgotten: string) {
  const at = join(root, String(++last));
  mkdirSync(at);
  make(join(at, 'upper'), upper, make(join(at, 'lower'), lower));
  execFileSync('cp', ['-a', join(at, 'upper'), join(at, 'again')]);
  const captured = fromText(join(at, 'upper'));
  // What is there and not in the listing, as ephemeral files are, must go.
  const include = (path: string) => path !== forgotten && !path.startsWith(`${forgotten}/`);
  const below = await scanListing(fromText(join(at, 'lower')), { hash: true });
  const listing = await scanListing(captured, { hash: true, include });
  const stack = [listing, below];
  const [target, base] = [new View(stack), new View([below])];
  const plan = computeDelta({ target, base, covered: covered(target, base, [listing]) });
  const hashes = knownHashes(plan, stack);
  const known = (path: string) => hashes.get(path as never);
  const takeable = new Set(inodesToReuse(plan, [listing]));
  const ask = (name: string, from: string, isReworked: boolean): MaterialiseRequest => ({
    plan,
    tree: fromText(join(at, name)),
    sources: [fromText(join(at, from)), fromText(join(at, 'lower'))],
    marks: markNamespace(),
    takeable,
    isReworked,
  });
  await materialise(ask('anew', 'again', false));
  await syncTree(fromText(at));
  const reworked = await materialise(ask('reworked', 'upper', true));
  const options = { hash: true, known } as const;
  const result = {
    anew: described((await scanTree(fromText(join(at, 'anew')), options)).sort(byPath)),
    reworked: described((await scanTree(fromText(join(at, 'reworked')), options)).sort(byPath)),
    said: described(
      (await scanEntries(fromText(join(at, 'reworked')), reworked?.entries(known) ?? [], options)).sort(byPath),
    ),
    names: readdirSync(at).sort(),
  };
  removeTree(fromText(at));
  return result;
}

describe('a captured tree that is reworked', () => {
  it('becomes what is made anew of its plan, and is reported as it is', async () => {
    await fc.assert(
      fc.asyncProperty(tree, tree, fc.constantFrom('', ...names), async (lower, upper, forgotten) => {
        const { anew, reworked, said, names: left } = await bothWays(lower, upper, forgotten === '' ? '-' : forgotten);
        expect(reworked).toEqual(anew);
        expect(said).toEqual(reworked);
        expect(left).toEqual(['again', 'anew', 'lower', 'reworked']);
      }),
      { numRuns: 150 },
    );
  }, 120_000);
});
