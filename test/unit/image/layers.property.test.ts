import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { dirname, join, toBuffer } from '../../../src/base/bytes.js';
import type { BytePath } from '../../../src/base/bytes.js';
import { LaminaError } from '../../../src/base/errors.js';
import { View } from '../../../src/changeset/index.js';
import type { Listing } from '../../../src/changeset/index.js';
import { importImageLayer } from '../../../src/image/layer/import-layer.js';
import { removeTree } from '../../../src/platform/walk.js';
import { scanListing } from '../../../src/store/index.js';
import { NodePaths } from '../../../src/store/paths/node-paths.js';
import { sha256 } from '../../support/layouts.js';
import { writeTar } from '../../support/tar-writer.js';
import type { Member } from '../../support/tar-writer.js';
import { numRuns } from '../changeset/arbitrary.js';
import { temporaryDirectory } from '../platform/temporary.js';

const at = temporaryDirectory();
let count = 0;

const isRoot = process.getuid?.() === 0;
const prefix = '.wh.';
const opaqueMark = '.wh..wh..opq';

/** What is at a path. One object is one inode, whatever names it has. */
interface Shown {
  readonly type: 'directory' | 'file' | 'symlink' | 'nothing';
  readonly mode: number;
  readonly content: string;
}

type Tree = Map<string, Shown>;

/** The layer is refused. */
class Refusal extends Error {}

const parents = (path: string): string[] =>
  path === '' ? [] : [...parents(dirname(path as BytePath)), dirname(path as BytePath)];

function removeBelow(tree: Map<string, unknown>, directory: string): void {
  for (const path of [...tree.keys()])
    if (path !== directory && (directory === '' || path.startsWith(`${directory}/`))) tree.delete(path);
}

/** A tree with a layer upon it: marks hide what is below the layer, then its members are written in their order. */
function upon(below: Tree, members: readonly Member[]): Tree {
  const tree = new Map(below);
  const own = new Map<string, Shown>();
  /** Links to files below, which are made last; and those of them that have members below themselves. */
  const lowerLinks = new Map<string, unknown>();
  const blocked = new Set<string>();
  /** Directories that the layer leads through to what it holds. */
  const led = new Map<string, unknown>();
  /** Of the layers below, and no directories: the layer has members below them, and none in their place. */
  const through = new Set<string>();
  const nameOf = ({ name }: Member) => name.replace(/^\.?\/|\/$/g, '');
  const marks = members.map(nameOf).filter((name) => name.includes(prefix));
  for (const path of marks) {
    const directory = dirname(path as BytePath);
    if (path.endsWith(opaqueMark)) {
      if (tree.get(directory)?.type === 'directory') removeBelow(tree, directory);
      continue;
    }
    const hidden = path.replace(prefix, '');
    removeBelow(tree, hidden);
    tree.delete(hidden);
  }
  for (const member of members) {
    const path = nameOf(member);
    if (path.includes(prefix)) continue;
    for (const parent of parents(path)) {
      const there = tree.get(parent);
      if (there?.type === 'directory') continue;
      if (own.has(parent) && !lowerLinks.has(parent)) throw new Refusal(`${parent} is no directory`);
      if (own.has(parent)) blocked.add(parent);
      if (there !== undefined) through.add(parent);
      tree.set(parent, { type: 'directory', mode: 0o755, content: '' });
    }
    const { linkname = '' } = member;
    if (member.type === '1' && led.has(linkname)) throw new Refusal(`${linkname} is a directory`);
    const isLower = member.type === '1' && (!own.has(linkname) || lowerLinks.has(linkname));
    const shown = member.type === '1' ? linked(own, below, { ...member, name: path }) : shownOf(member);
    if (shown.type !== 'directory') for (const each of [own, lowerLinks, led]) removeBelow(each, path);
    lowerLinks.delete(path);
    if (shown.type !== 'directory') led.delete(path);
    if (isLower) lowerLinks.set(path, true);
    else for (const parent of parents(path)) led.set(parent, true);
    if (shown.type !== 'directory' || tree.get(path)?.type !== 'directory') removeBelow(tree, path);
    tree.set(path, shown);
    own.set(path, shown);
    for (const each of through) if (own.has(each) || !tree.has(each)) through.delete(each);
  }
  if (through.size > 0) throw new Refusal('it writes below what is no directory');
  for (const path of blocked) if (lowerLinks.has(path)) throw new Refusal(`${path} has members below it`);
  // A link that a later member replaces may lead anywhere.
  for (const { type, content } of tree.values()) if (type === 'nothing') throw new Refusal(`${content} is no file`);
  return tree;
}

function linked(own: Tree, below: Tree, { name, linkname = '' }: Member): Shown {
  if (own.has(linkname) && linkname.startsWith(`${name}/`)) throw new Refusal(`${name} would replace its target`);
  const target = own.get(linkname) ?? below.get(linkname);
  if (target !== undefined && target.type !== 'directory') return target;
  if (own.has(linkname)) throw new Refusal(`${linkname} is a directory`);
  return { type: 'nothing', mode: 0, content: linkname };
}

function shownOf({ type = '0', mode = 0o644, content = '', linkname = '' }: Member): Shown {
  if (type === '5') return { type: 'directory', mode, content: '' };
  return type === '2'
    ? { type: 'symlink', mode: 0, content: linkname }
    : { type: 'file', mode, content: String(content) };
}

/** What a tree shows, with the first name of each inode. */
function textOf(tree: Tree): string[] {
  const first = new Map<Shown, string>();
  return [...tree.keys()].sort().map((path) => {
    const shown = tree.get(path)!;
    if (!first.has(shown)) first.set(shown, path);
    const inode = shown.type === 'directory' ? '' : first.get(shown);
    return `/${path} ${shown.type} ${shown.mode.toString(8)} ${shown.content} ${inode}`;
  });
}

interface Stack {
  readonly listings: readonly Listing[];
  readonly trees: readonly BytePath[];
}

/** @param lower newest first */
async function imported(place: BytePath, members: readonly Member[], lower: Stack): Promise<Stack> {
  mkdirSync(toBuffer(place), { recursive: true });
  const tar = writeTar(members);
  const file = join(place, 'tar');
  writeFileSync(toBuffer(file), tar);
  const node = Object.assign(new NodePaths(place), { id: 'n' });
  const diffId = sha256(tar);
  const layer = { chainId: diffId, diffId, blob: { digest: diffId, size: tar.length, mediaType: 'x' } };
  const blob = { at: file, size: tar.length, close: () => undefined, digest: null };
  const below = lower.trees.length === 0 ? undefined : { view: new View(lower.listings), trees: lower.trees };
  await importImageLayer(node, { layer, blob, called: 'image', lower: async () => Promise.resolve(below) }, {});
  return {
    listings: [await scanListing(node.tree, { hash: true }), ...lower.listings],
    trees: [node.tree, ...lower.trees],
  };
}

/** What the trees of a stack show, as `textOf`. */
function textOfStack({ listings, trees }: Stack): string[] {
  const view = new View(listings);
  const inodes = new Map<string, Shown>();
  const tree: Tree = new Map();
  for (const { path, entry, layer, data } of view.walk()) {
    const content = () => {
      if (entry.type === 'symlink') return entry.target;
      return data === undefined ? '' : readFileSync(toBuffer(join(trees[data.layer]!, data.path)), 'utf8');
    };
    const key = `${layer} ${entry.group} ${entry.group < 0 ? path : ''}`;
    const type = entry.type as Shown['type'];
    const known = inodes.get(key) ?? { type, mode: type === 'symlink' ? 0 : entry.mode, content: content() };
    inodes.set(key, known);
    tree.set(path, known);
  }
  return textOf(tree);
}

const names = ['a', 'b', 'c'];
const path = fc.array(fc.constantFrom(...names), { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/'));
const mode = fc.constantFrom(0o755, 0o700, 0o711);
const number = fc.nat(99);

const member: fc.Arbitrary<Member> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ name: path, content: number.map(String), mode: fc.constantFrom(0o644, 0o4755) }),
  },
  { weight: 3, arbitrary: fc.record({ name: path, mode, type: fc.constant('5') }) },
  fc.record({ name: path, type: fc.constant('2'), linkname: fc.constantFrom(...names, '/etc') }),
  { weight: 3, arbitrary: fc.record({ name: path, type: fc.constant('1'), linkname: path }) },
  { weight: 2, arbitrary: path.map((name) => ({ name: name.replace(/[^/]*$/, (last) => `${prefix}${last}`) })) },
  path.map((name) => ({ name: name.replace(/[^/]*$/, opaqueMark) })),
  fc.record({ name: path.map((name) => `/${name}`), content: number.map(String), mode: fc.constant(0o600) }),
  fc.record({ name: fc.constant('./'), type: fc.constant('5'), mode }),
);

/** No two members of one name: what engines make of those differs. */
const layer = fc.uniqueArray(member, { maxLength: 7, selector: ({ name }) => name.replace(/^\/|\/$/g, '') });

describe.runIf(isRoot)('layers of an image', () => {
  it('show together what their members say, one layer after the other', { timeout: 120_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(layer, { minLength: 1, maxLength: 3 }), async (layers) => {
        const place = at(`image${(count += 1)}`);
        let wanted: Tree = new Map([['', { type: 'directory', mode: 0o755, content: '' }]]);
        let stack: Stack = { listings: [], trees: [] };
        try {
          for (const [i, members] of layers.entries()) {
            const model = attempt(() => upon(wanted, members));
            const made = await settled(join(place, `layer${i}`), members, stack);
            expect(made instanceof LaminaError).toBe(model === undefined);
            if (model === undefined || made instanceof LaminaError) return;
            [wanted, stack] = [model, made];
            expect(textOfStack(stack)).toEqual(textOf(wanted));
          }
        } finally {
          removeTree(place);
        }
      }),
      { numRuns: Math.ceil(numRuns / 10) },
    );
  });
});

function attempt(work: () => Tree): Tree | undefined {
  try {
    return work();
  } catch (error) {
    if (error instanceof Refusal) return undefined;
    throw error;
  }
}

async function settled(place: BytePath, members: readonly Member[], lower: Stack): Promise<Stack | LaminaError> {
  try {
    return await imported(place, members, lower);
  } catch (error) {
    if (error instanceof LaminaError) return error;
    throw error;
  }
}
