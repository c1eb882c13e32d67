import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toText } from '../../../src/base/bytes.js';
import type { ConflictChoice } from '../../../src/package/settings.js';
import type { Member } from '../../support/tar-writer.js';
import { temporaryDirectory } from '../platform/temporary.js';
import { layerIn } from './layered.js';
import type { Node, Plain } from './layered.js';
import { threeWay } from './three-way-rule.js';

const at = temporaryDirectory();
const isRoot = process.getuid?.() === 0;

/** Few names, so that all overlap. */
const names = ['a', 'b', 'd', 'd/a', 'd/b', 'd/e', 'd/e/a', 'e', 'e/a'];
const line = fc.constantFrom('0', '1', '2');
const text = fc.tuple(line, line).map(([first, last]) => `${first}\n-\n-\n-\n${last}\n`);
const content = fc.oneof({ arbitrary: text, weight: 5 }, { arbitrary: line.map((each) => `\0${each}`), weight: 1 });
const fileMode = fc.constantFrom(0o644, 0o644, 0o600, 0o755);
const directoryMode = fc.constantFrom(0o755, 0o755, 0o700, 0o711);
const file = fc.record({ type: fc.constant('file' as const), mode: fileMode, content });
const symlink = fc.record({ type: fc.constant('symlink' as const), target: fc.constantFrom('x', 'y') });
const directory = fc.record({ type: fc.constant('directory' as const), mode: directoryMode });
const leaf = fc.oneof({ arbitrary: file, weight: 5 }, { arbitrary: symlink, weight: 1 });
const node: fc.Arbitrary<Node> = fc.oneof({ arbitrary: leaf, weight: 3 }, { arbitrary: directory, weight: 1 });

const parent = (path: string) => path.slice(0, Math.max(path.lastIndexOf('/'), 0));
/** The directories above a path, outermost first. */
const above = (path: string) =>
  path.split('/').flatMap((_, i, parts) => (i === 0 ? [] : [parts.slice(0, i).join('/')]));
const isIn = (path: string, directory: string) => path === directory || path.startsWith(`${directory}/`);

/**
 * A tree of what was drawn for its names; what has no directory to be in is left out. Files that `linked` names are
 * one, where they are alike.
 */
function plain(drawn: readonly (Node | undefined)[], linked: boolean): Map<string, Node> {
  const tree = new Map<string, Node>();
  names.forEach((path, i) => {
    const each = drawn[i];
    if (each === undefined || (parent(path) !== '' && tree.get(parent(path))?.type !== 'directory')) return;
    tree.set(path, each);
  });
  const [a, b] = [tree.get('a'), tree.get('d/a')];
  if (linked && a?.type === 'file' && b?.type === 'file')
    for (const path of ['a', 'd/a']) tree.set(path, { ...a, link: 1 });
  return tree;
}

const base = fc
  .tuple(fc.array(fc.option(node, { nil: undefined, freq: 5 }), { minLength: 9, maxLength: 9 }), fc.boolean())
  .map(([drawn, linked]) =>
    plain(
      drawn.map((each, i) =>
        ['d', 'e', 'd/e'].includes(names[i]!) && each !== undefined
          ? { type: 'directory' as const, mode: 0o755 }
          : each,
      ),
      linked,
    ),
  );

/** What a user makes of a root: things put in the place of others, removed, made. */
const edits = fc.array(
  fc.record({ path: fc.constantFrom(...names), to: fc.option(node, { nil: undefined, freq: 4 }) }),
  { maxLength: 5 },
);
type Edits = typeof edits extends fc.Arbitrary<infer T> ? T : never;

function edited(tree: Plain, steps: Edits): Map<string, Node> {
  const own = new Map(tree);
  for (const { path, to } of steps) {
    if (parent(path) !== '' && own.get(parent(path))?.type !== 'directory') continue;
    const there = own.get(path);
    if (!(there?.type === 'directory' && to?.type === 'directory'))
      for (const each of [...own.keys()]) if (isIn(each, path)) own.delete(each);
    if (to !== undefined) own.set(path, to);
  }
  return own;
}

/** A member, a whiteout of the name, or a directory that nothing below shines through. */
const drawnMember = fc.oneof(
  { arbitrary: node.map((each) => ({ node: each, whiteout: false, opaque: false })), weight: 4 },
  { arbitrary: directory.map((each) => ({ node: each, whiteout: false, opaque: true })), weight: 1 },
  { arbitrary: fc.constant({ node: undefined, whiteout: true, opaque: false }), weight: 2 },
  { arbitrary: node.map((each) => ({ node: each, whiteout: true, opaque: false })), weight: 1 },
);
const layer = fc.record({
  drawn: fc.array(fc.option(drawnMember, { nil: undefined, freq: 2 }), { minLength: 9, maxLength: 9 }),
  /** Where two files of it are alike in path order, the second is a hard link to the first. */
  links: fc.boolean(),
});
type Layer = typeof layer extends fc.Arbitrary<infer T> ? T : never;

type Drawn = NonNullable<Layer['drawn'][number]>;

/** What a layer says, without what has no directory to be in: neither one of its own nor one of the base's. */
function sound(below: Plain, { drawn }: Layer): Map<string, Drawn> {
  const has = new Map<string, Drawn>();
  names.forEach((path, i) => {
    const each = drawn[i];
    const leads = (at: string) =>
      has.has(at) ? has.get(at)?.node?.type === 'directory' : !below.has(at) || below.get(at)?.type === 'directory';
    if (each !== undefined && above(path).every(leads)) has.set(path, each);
  });
  return has;
}

/** The members of its tar, and what it makes of a base by the words of the OCI specification. */
function applied(below: Plain, layer: Layer): { members: Member[]; tree: Plain } {
  const members: Member[] = [];
  const tree = new Map(below);
  const has = sound(below, layer);
  // Whiteouts are of what lies below, wherever in the archive they are.
  for (const [path, each] of has) {
    const name = path.slice(path.lastIndexOf('/') + 1);
    const inside = parent(path) === '' ? '' : `${parent(path)}/`;
    if (each.whiteout) members.push({ name: `${inside}.wh.${name}` });
    if (each.opaque) members.push({ name: `${path}/.wh..wh..opq` });
    for (const other of [...tree.keys()])
      if ((each.whiteout && isIn(other, path)) || (each.opaque && other !== path && isIn(other, path)))
        tree.delete(other);
  }
  let first: string | undefined;
  for (const [path, each] of has) {
    // What leads to a member is there, also below a directory that is opaque.
    for (const at of above(path)) {
      const there = below.get(at);
      if (!tree.has(at) && (each.node !== undefined || there?.type === 'directory'))
        tree.set(at, { type: 'directory', mode: there?.type === 'directory' ? there.mode : 0o755 });
    }
    if (each.node === undefined) continue;
    if (!(each.node.type === 'directory' && tree.get(path)?.type === 'directory'))
      for (const other of [...tree.keys()]) if (isIn(other, path)) tree.delete(other);
    let made: Node = each.node;
    if (made.type === 'directory') members.push({ name: `${path}/`, type: '5', mode: made.mode });
    else if (made.type === 'symlink') members.push({ name: path, type: '2', linkname: made.target });
    else if (layer.links && first !== undefined) {
      members.push({ name: path, type: '1', linkname: first });
      made = tree.get(first) ?? made;
    } else {
      members.push({ name: path, mode: made.mode, content: made.content });
      first = path;
    }
    tree.set(path, made);
  }
  return { members, tree };
}

const choices = fc.constantFrom<ConflictChoice>('keep', 'keep', 'ours', 'theirs');
const bare = (tree: Plain) =>
  new Map([...tree].sort(([a], [b]) => (a < b ? -1 : 1)).map(([path, each]) => [path, { ...each, link: undefined }]));

describe.runIf(isRoot)('a layer and a container', () => {
  it('are brought together by the rule of three ways, path by path', async () => {
    await fc.assert(
      fc.asyncProperty(base, edits, layer, choices, async (below, steps, drawn, conflict) => {
        const own = edited(below, steps);
        const made = applied(below, drawn);
        fc.pre(made.members.length > 0);
        const is = await layerIn(toText(at()), { base: below, own, members: made.members, conflict });
        expect(bare(is.base)).toEqual(bare(made.tree));
        const should = threeWay(below, made.tree, own, conflict);
        expect(bare(is.container)).toEqual(bare(should.container));
        // More may be reported: what has no place in the container. Of `theirs` what was taken need not be.
        if (conflict === 'theirs') return;
        expect([...should.conflicts].filter((path) => !is.conflicts.includes(path))).toEqual([]);
      }),
      { numRuns: 300 },
    );
  }, 120_000);

  const dir = { type: 'directory', mode: 0o755 } as const;
  const plainFile = (text: string) => ({ type: 'file', mode: 0o644, content: text }) as const;
  const is = (tree: Plain) =>
    Object.fromEntries([...tree].map(([path, each]) => [path, each.type === 'file' ? each.content : each.type]));

  it.each<[ConflictChoice, Record<string, string>]>([
    [
      'keep',
      {
        d: 'directory',
        'd/own': 'own',
        'd.lamina-new': 'layer',
        f: 'mine',
        'f.lamina-new': 'directory',
        'f.lamina-new/x': 'x',
      },
    ],
    ['ours', { d: 'directory', 'd/own': 'own', f: 'mine' }],
    ['theirs', { d: 'directory', 'd/own': 'own', 'd.lamina-new': 'layer', f: 'directory', 'f/x': 'x' }],
  ])('lose nothing where one has a directory and the other a file: %s', async (conflict, container) => {
    const base = new Map<string, Node>([
      ['d', dir],
      ['d/old', plainFile('old')],
      ['f', plainFile('base')],
    ]);
    const own = new Map<string, Node>([...base, ['d/own', plainFile('own')], ['f', plainFile('mine')]]);
    const members = [
      { name: 'd', content: 'layer' },
      { name: 'f/', type: '5' },
      { name: 'f/x', content: 'x' },
    ];
    const found = await layerIn(toText(at()), { base, own, members, conflict });
    expect(is(found.container)).toEqual(container);
    expect(found.conflicts).toEqual(conflict === 'theirs' ? ['d'] : ['d', 'f']);
  });

  it('keep what a container has in the place of a file that the layer only gives another time', async () => {
    const base = new Map<string, Node>([
      ['a', plainFile('a')],
      ['b', plainFile('b')],
      ['c', plainFile('c')],
    ]);
    const own = new Map<string, Node>([
      ['a', dir],
      ['b', plainFile('mine')],
    ]);
    const members = ['a', 'b', 'c'].map((name) => ({ name, content: name, mtime: 1 }));
    const found = await layerIn(toText(at()), { base, own, members, conflict: 'keep' });
    expect(is(found.container)).toEqual({ a: 'directory', b: 'mine' });
    expect(found.conflicts).toEqual([]);
  });

  it('keep a version of the container that the layer would make another name of a file of its own', async () => {
    const base = new Map<string, Node>([
      ['a', plainFile('a')],
      ['b', plainFile('b')],
    ]);
    const own = new Map<string, Node>([...base, ['b', plainFile('mine')]]);
    const members = [
      { name: 'a', content: 'layer' },
      { name: 'b', type: '1', linkname: 'a' },
    ];
    const found = await layerIn(toText(at()), { base, own, members, conflict: 'keep' });
    expect(is(found.container)).toEqual({ a: 'layer', b: 'mine', 'b.lamina-new': 'layer' });
    expect(found.conflicts).toEqual(['b']);
  });
});
