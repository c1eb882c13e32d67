import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toText } from '../../../src/base/bytes.js';
import type { ConflictChoice } from '../../../src/package/settings.js';
import type { Member } from '../../support/tar-writer.js';
import { numRuns } from '../changeset/arbitrary.js';
import { temporaryDirectory } from '../platform/temporary.js';
import { layerIn } from './layered.js';
import type { Node, Plain } from './layered.js';
import { threeWay } from './three-way-rule.js';

const at = temporaryDirectory();
const isRoot = process.getuid?.() === 0;

const dir = { type: 'directory', mode: 0o755 } as const;
const text = (content: string, mode = 0o644) => ({ type: 'file', mode, content }) as const;
const link = (target: string) => ({ type: 'symlink', target }) as const;
const tree = (nodes: Readonly<Record<string, Node>>): Plain =>
  new Map(Object.entries({ usr: dir, 'usr/bin': dir, ...nodes }));

/** A layer that makes another root of a base. */
function changing(base: Plain, after: Plain): Member[] {
  const members: Member[] = [];
  for (const path of base.keys())
    if (!after.has(path) && after.get(path.replace(/\/[^/]+$/, ''))?.type === 'directory')
      members.push({ name: path.replace(/([^/]+)$/, '.wh.$1') });
  for (const [path, node] of after) {
    if (node.type === 'directory') members.push({ name: `${path}/`, type: '5', mode: node.mode });
    else if (node.type === 'symlink') members.push({ name: path, type: '2', linkname: node.target });
    else members.push({ name: path, mode: node.mode, content: node.content });
  }
  return members;
}

const relink = async (base: Plain, own: Plain, after: Plain, conflict: ConflictChoice = 'keep') =>
  layerIn(toText(at()), { base, own, members: changing(base, after), conflict, relinks: true });

const bare = (shown: Plain) => new Map([...shown].sort(([a], [b]) => (a < b ? -1 : 1)));

describe.runIf(isRoot)('a directory that an image replaces by a symlink to another one', () => {
  const base = tree({
    bin: dir,
    ...{ 'bin/sh': text('sh 1', 0o755), 'bin/ls': text('ls 1'), 'bin/mail': text('mail 1'), 'bin/old': text('old') },
    ...{ 'bin/conf.d': dir, 'bin/conf.d/a': text('1\n-\n-\n-\n1\n') },
  });
  const after = tree({
    bin: link('usr/bin'),
    ...{ 'usr/bin/sh': text('sh 2', 0o755), 'usr/bin/ls': text('ls 1'), 'usr/bin/mail': text('mail 2') },
    ...{ 'usr/bin/conf.d': dir, 'usr/bin/conf.d/a': text('2\n-\n-\n-\n1\n') },
  });

  it('takes what the container has in it along, and merges what both changed', async () => {
    const { 'bin/mail': _, ...kept } = Object.fromEntries(base);
    const own = tree({
      ...kept,
      ...{ 'bin/nano': text('nano'), 'bin/own.d': dir, 'bin/own.d/x': link('../sh'), 'bin/ls': text('ls own') },
      ...{ 'bin/conf.d/a': text('1\n-\n-\n-\n3\n'), 'bin/conf.d/own': text('own'), 'bin/old': text('old own') },
    });
    const { container, conflicts } = await relink(base, own, after);
    const { 'usr/bin/mail': __, ...rest } = Object.fromEntries(after);
    expect(container).toEqual(
      bare(
        tree({
          ...rest,
          ...{ 'usr/bin/nano': text('nano'), 'usr/bin/own.d': dir, 'usr/bin/own.d/x': link('../sh') },
          ...{ 'usr/bin/conf.d/a': text('2\n-\n-\n-\n3\n'), 'usr/bin/conf.d/own': text('own') },
          ...{ 'usr/bin/ls': text('ls own'), 'usr/bin/old': text('old own') },
        }),
      ),
    );
    // What the container removed stays so, and what only the container still has stays.
    expect(conflicts).toEqual(['usr/bin/mail', 'usr/bin/old']);
  });

  it('brings nothing along where the container has nothing of its own', async () => {
    expect((await relink(base, base, after)).container).toEqual(bare(after));
  });

  it('brings nothing back that the container removed if the image changes only its mode there', async () => {
    const { 'bin/ls': _, ...own } = Object.fromEntries(base);
    const image = new Map([...after, ['usr/bin/ls', text('ls 1', 0o755)]]);
    for (const conflict of ['keep', 'ours', 'theirs'] as const) {
      const { container, conflicts } = await relink(base, tree(own), image, conflict);
      expect([container.get('usr/bin/ls'), conflicts]).toEqual([undefined, []]);
    }
  });

  it('makes one of a program and the symlink to it that was at its other place', async () => {
    const own = new Map([
      ...base,
      ...tree({ 'bin/nano': text('nano'), 'usr/bin/nano': link('/bin/nano') }),
      ...tree({ 'usr/bin/vi': text('vi'), 'bin/vi': link('/usr/bin/vi') }),
      ...tree({ 'usr/bin/two': text('usr'), 'bin/two': text('bin') }),
    ]);
    const { container, conflicts } = await relink(base, own, after);
    const added = { 'usr/bin/nano': text('nano'), 'usr/bin/vi': text('vi'), 'usr/bin/two': text('usr') };
    const beside = { 'usr/bin/two.lamina-new': text('bin') };
    expect(container).toEqual(bare(tree({ ...Object.fromEntries(after), ...added, ...beside })));
    expect(conflicts).toEqual(['usr/bin/two']);
  });

  it('is left where it is if the container has removed the directory that it goes to', async () => {
    const [below, image] = [base, after].map((each) => new Map([...each, ['opt', dir as Node]]));
    const moved = [...image!].map(([path, node]) => [path.replace(/^usr\/bin/, 'opt/bin'), node] as const);
    const there = new Map([...moved, ['bin', link('opt/bin')]]);
    const own = new Map([...below!, ...tree({ 'bin/nano': text('nano') })]);
    expect((await relink(below!, own, there)).container.get('opt/bin/nano')).toEqual(text('nano'));
    own.delete('opt');
    expect((await relink(below!, own, there)).container.get('bin/nano')).toEqual(text('nano'));
  });

  it('is left to the usual rule where its symlink leads nowhere, or to a directory in it', async () => {
    const own = new Map([...base, ...tree({ 'bin/nano': text('nano') })]);
    for (const target of ['nowhere', '../..', 'usr/bin/sh', '/bin']) {
      const { container, conflicts } = await relink(base, own, new Map([...after, ['bin', link(target)]]));
      expect(container.get('bin/nano')).toEqual(text('nano'));
      expect(conflicts).toContain('bin');
    }
  });
});

const names = ['a', 'b', 'd', 'd/a', 'd/b', 'e', 'e/a', 'c'];
const line = fc.constantFrom('0', '1', '2');
const file = fc
  .tuple(line, line, fc.constantFrom(0o644, 0o755))
  .map(([first, last, mode]): Node => text(`${first}\n-\n-\n-\n${last}\n`, mode));
const leaf = fc.oneof({ arbitrary: file, weight: 5 }, { arbitrary: line.map((each): Node => link(each)), weight: 1 });
const isDirectory = (name: string) => name === 'd' || name === 'e';
/** `c` is in `usr/bin` from the beginning. */
const placed = (name: string) => (name === 'c' ? 'usr/bin/c' : `bin/${name}`);
const moved = (path: string) => path.replace(/^bin\//, 'usr/bin/');

const drawn = fc.tuple(...names.map((name) => fc.option(isDirectory(name) ? fc.constant<Node>(dir) : leaf)));

function treeOf(nodes: readonly (Node | null)[], place: (name: string) => string): Map<string, Node> {
  const found = new Map<string, Node>([...tree({})]);
  names.forEach((name, i) => {
    const node = nodes[i];
    const parent = /^(.*)\/[^/]+$/.exec(name)?.[1];
    if (node && (parent === undefined || found.has(place(parent)))) found.set(place(name), node);
  });
  return found;
}

/** What becomes of each name: it stays as it is in the base, or is drawn anew. */
const changed = (base: readonly (Node | null)[]) =>
  fc
    .tuple(drawn, fc.array(fc.boolean(), { minLength: names.length, maxLength: names.length }))
    .map(([nodes, keep]) => nodes.map((node, i) => (keep[i] === true ? (base[i] ?? null) : node)));

const versions = drawn.chain((base) => fc.tuple(fc.constant(base), changed(base), changed(base)));

describe.runIf(isRoot)('a directory that a container replaced by a symlink to another one', () => {
  it('gets there what an image changes in it', async () => {
    const base = tree({ bin: dir, 'bin/sh': text('sh 1'), 'bin/ls': text('ls 1'), 'bin/old': text('old'), data: dir });
    for (const place of ['usr/bin', 'data/own']) {
      const has = (name: string, content: string) => [`${place}/${name}`, text(content)] as const;
      const plain = [...tree({ data: dir, 'data/own': dir, bin: link(place) })];
      const own = new Map([...plain, has('sh', 'sh 1'), has('ls', 'ls own'), has('old', 'old'), has('mine', 'mine')]);
      const { container, conflicts } = await layerIn(toText(at()), {
        ...{ base, own, conflict: 'keep', relinks: true },
        members: [{ name: 'bin/sh', content: 'sh 2' }, { name: 'bin/new', content: 'new' }, { name: 'bin/.wh.old' }],
      });
      const should = new Map([
        ...plain,
        has('sh', 'sh 2'),
        has('ls', 'ls own'),
        has('mine', 'mine'),
        has('new', 'new'),
      ]);
      expect(container).toEqual(bare(should));
      expect(conflicts).toEqual([]);
    }
  });
});

describe.runIf(isRoot)('of random roots, such a directory', () => {
  it('is, where the container made it a symlink, where the rule has it as a directory', async () => {
    await fc.assert(
      fc.asyncProperty(versions, fc.constantFrom('keep', 'ours', 'theirs'), async ([b, o, t], conflict) => {
        const [base, own, after] = [b, o, t].map((nodes) => new Map([...treeOf(nodes, placed), ['bin', dir as Node]]));
        const there = (shown: Plain) =>
          new Map([...[...shown].map(([path, node]) => [moved(path), node] as const), ['bin', link('usr/bin')]]);
        const should = threeWay(base!, after!, own!, conflict);
        const is = await layerIn(toText(at()), {
          ...{ base: base!, own: there(own!), members: changing(base!, after!), conflict, relinks: true },
        });
        expect(bare(is.container)).toEqual(bare(there(should.container)));
      }),
      { numRuns: Math.ceil(numRuns / 7.5) },
    );
  }, 120_000);

  it('becomes what the rule makes of roots in which it was a symlink before', async () => {
    await fc.assert(
      fc.asyncProperty(versions, fc.constantFrom('keep', 'ours', 'theirs'), async ([b, o, t], conflict) => {
        const [base, own] = [b, o].map((nodes) => new Map([...treeOf(nodes, placed), ['bin', dir as Node]]));
        const after = new Map([...treeOf(t, (name) => moved(placed(name))), ['bin', link('usr/bin')]]);
        const before = (shown: Plain) =>
          new Map([...[...shown].map(([path, node]) => [moved(path), node] as const), ['bin', link('usr/bin')]]);
        const should = threeWay(before(base!), after, before(own!), conflict);
        const is = await relink(base!, own!, after, conflict);
        expect(bare(is.container)).toEqual(bare(should.container));
      }),
      { numRuns: Math.ceil(numRuns / 7.5) },
    );
  }, 120_000);
});
