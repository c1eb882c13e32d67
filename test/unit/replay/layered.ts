import {
  chmodSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fromText, toText } from '../../../src/base/bytes.js';
import type { BytePath } from '../../../src/base/bytes.js';
import { layerListing } from '../../../src/capture/layer-listing.js';
import { View, computeDelta, covered, foldTrees } from '../../../src/changeset/index.js';
import type { Listing } from '../../../src/changeset/index.js';
import type { ConflictChoice } from '../../../src/package/settings.js';
import { layerOperations } from '../../../src/replay/layer-operations.js';
import { replay } from '../../../src/replay/replay.js';
import { importLayer, markNamespace, materialise, scanListing } from '../../../src/store/index.js';
import { writeTar } from '../../support/tar-writer.js';
import type { Member } from '../../support/tar-writer.js';
import { planListing } from '../changeset/flat.js';

/** What stands at a path of a plain tree. `link`: files of one number are one file. */
export type Node =
  | { readonly type: 'directory'; readonly mode: number }
  | { readonly type: 'file'; readonly mode: number; readonly content: string; readonly link?: number }
  | { readonly type: 'symlink'; readonly target: string };

/** By paths without a leading slash; the root is not in it. */
export type Plain = ReadonlyMap<string, Node>;

export function writePlain(root: string, tree: Plain): void {
  mkdirSync(root, { recursive: true });
  const links = new Map<number, string>();
  for (const [path, node] of [...tree].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const at = join(root, path);
    if (node.type === 'directory') mkdirSync(at);
    else if (node.type === 'symlink') symlinkSync(node.target, at);
    else if (node.link !== undefined && links.has(node.link)) linkSync(links.get(node.link)!, at);
    else {
      writeFileSync(at, node.content);
      if (node.link !== undefined) links.set(node.link, at);
    }
    if (node.type !== 'symlink') chmodSync(at, node.mode);
  }
}

export function readPlain(root: string, path = '', into = new Map<string, Node>()): Map<string, Node> {
  for (const name of readdirSync(join(root, path)).sort()) {
    const below = path === '' ? name : `${path}/${name}`;
    const at = join(root, below);
    const stats = lstatSync(at);
    const mode = stats.mode & 0o7777;
    if (stats.isSymbolicLink()) into.set(below, { type: 'symlink', target: readlinkSync(at) });
    else if (stats.isDirectory()) {
      into.set(below, { type: 'directory', mode });
      readPlain(root, below, into);
    } else into.set(below, { type: 'file', mode, content: readFileSync(at, 'latin1') });
  }
  return into;
}

let count = 0;

export interface LayerCase {
  readonly base: Plain;
  /** The container's root before. */
  readonly own: Plain;
  readonly members: readonly Member[];
  readonly conflict: ConflictChoice;
  /** Whether it is an image; by default it is a layer. */
  readonly relinks?: boolean;
}

/**
 * Brings a layer, read from its tar, into a container, whose storage stands on the base; below a scratch directory.
 * Says what the container and the base are then.
 */
export async function layerIn(scratch: string, { base, own, members, conflict, relinks = false }: LayerCase) {
  const place = join(scratch, `case-${++count}`);
  const at = (name: string) => fromText(join(place, name));
  try {
    for (const [name, tree] of [
      ['before', base],
      ['container', own],
    ] as const)
      writePlain(join(place, name), tree);
    const tar = join(place, 'layer.tar');
    writeFileSync(tar, writeTar(members));
    const marks = await importLayer(fromText(tar), at('layer'), {});
    const scan = async (name: string) => scanListing(at(name), { hash: true });
    const below = await scan('before');
    const before = new View([below]);
    const captured = new View([layerListing(await scan('layer'), marks, before), below]);
    const touched = covered(captured, before, captured.stack.slice(0, 1));
    const layer = planListing(computeDelta({ target: captured, base: before, covered: touched }), captured);
    const after = new View([layer, below]);
    await writeView(captured, [at('layer'), at('before')], at('after'));
    const storage = storageOf(await scan('container'), below);
    const views = { before, after, own: new View([storage, below]) };
    const { operations, conflicts } = layerOperations(views, covered(after, before, [layer]), {
      overrule: conflict === 'theirs',
      relinks,
    });
    const paths = { before: at('before'), after: at('after'), container: at('container') };
    const report = await replay({ operations, ...paths, conflict, follows: relinks });
    const all = [...conflicts, ...report.conflicts, ...report.passed];
    return {
      base: readPlain(join(place, 'after')),
      container: readPlain(join(place, 'container')),
      conflicts: [...new Set(all.map(toText))].sort(),
    };
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}

/**
 * The overlay tree that makes of the base what the container shows: with whiteouts and opaque directories, where it
 * takes them.
 */
function storageOf(shown: Listing, base: Listing): Listing {
  const [target, below] = [new View([shown]), new View([base])];
  const paths = new Set([target, below].flatMap((view) => [...view.walk()].map(({ path }) => path)));
  return planListing(computeDelta({ target, base: below, covered: paths }), target);
}

async function writeView({ stack }: View, sources: readonly BytePath[], tree: BytePath): Promise<void> {
  const { plan } = foldTrees({ parts: stack, below: [], settled: true });
  await materialise({ plan, tree, sources, marks: markNamespace() });
}
