import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { BytePath } from '../../../src/base/bytes.js';
import { MemoryListing, View, makeEntry } from '../../../src/changeset/index.js';
import type { Entry, Listing } from '../../../src/changeset/index.js';
import { allMembers, layerMembers, memberName } from '../../../src/image/out/members.js';
import type { Member } from '../../../src/image/out/members.js';
import { listing, numRuns } from '../changeset/arbitrary.js';
import { attributesOf, canonical, flatten, hasTwoContents } from '../changeset/flat.js';
import type { FlatTree } from '../changeset/flat.js';

const leftOut = () => ({ sockets: 0 });

/** The layers of a stack, lowest first. */
function layersOf(stack: readonly Listing[]): { members: Member[]; view: View }[] {
  return stack
    .map((_, at) => {
      const view = new View(stack.slice(at));
      const below = at + 1 < stack.length ? new View(stack.slice(at + 1)) : undefined;
      return { members: [...layerMembers(view, below, leftOut())], view };
    })
    .reverse();
}

const contentOf = (view: View, member: Member): bigint | undefined =>
  member.kind === 'entry' && member.data !== undefined
    ? view.stack[member.data.layer]?.get(member.data.path)?.contentHash
    : undefined;

/** What unpacking a layer over a tree makes of it, as the OCI specification says. */
function unpack(tree: FlatTree, { members, view }: { members: readonly Member[]; view: View }): void {
  const removeBelow = (directory: string) => {
    for (const path of [...tree.keys()])
      if (path !== directory && (directory === '' || path.startsWith(`${directory}/`))) tree.delete(path);
  };
  for (const { kind, path } of members) {
    if (kind !== 'whiteout' && kind !== 'opaque') continue;
    removeBelow(path);
    if (kind === 'whiteout') tree.delete(path);
  }
  for (const member of members) {
    const { kind, path } = member;
    if (kind === 'link') {
      removeBelow(path);
      tree.set(path, tree.get(member.to)!);
    } else if (kind === 'entry') {
      const { type } = member.entry;
      const directory = type === 'directory';
      if (!directory || tree.get(path)?.directory !== true) removeBelow(path);
      tree.set(path, {
        attributes: attributesOf(member.entry),
        content: contentOf(view, member),
        directory,
        file: type === 'file',
        inode: directory ? undefined : {},
      });
    }
  }
}

/** A layer as the tree that an overlay of such layers is made of. */
function asTree({ members, view }: { members: readonly Member[]; view: View }): Listing {
  const made = new Map<string, Entry>();
  let groups = 0;
  for (const member of members) {
    const { kind, path } = member;
    if (kind === 'whiteout') made.set(path, makeEntry({ path, type: 'whiteout' }));
    else if (kind === 'opaque') made.set(path, { ...made.get(path)!, opaque: true });
    else if (kind === 'entry') {
      const plain = { path, opaque: false, metacopy: false, redirect: '', group: -1 };
      made.set(path, { ...member.entry, ...plain, contentHash: contentOf(view, member) ?? 0n });
    } else {
      const first = made.get(member.to)!;
      const group = first.group < 0 ? groups++ : first.group;
      made.set(member.to, { ...first, group });
      made.set(path, { ...first, group, path });
    }
  }
  return new MemoryListing(made.values());
}

/** Where a metacopy has lost its content no layer can have it. */
function withoutLost(tree: FlatTree, wanted: FlatTree): FlatTree {
  return new Map(
    [...tree].map(([path, node]) => {
      const lost = wanted.get(path);
      return [path, lost?.file === true && lost.content === undefined ? { ...node, content: undefined } : node];
    }),
  );
}

const stacks = fc
  .array(listing({ moved: true }), { minLength: 1, maxLength: 4 })
  .filter((stack) => stack.every((_, at) => !hasTwoContents(new View(stack.slice(at)))));

describe('the layers of an image', () => {
  it('unpacked one over another show what the trees show', () => {
    fc.assert(
      fc.property(stacks, (stack) => {
        const tree: FlatTree = new Map();
        for (const layer of layersOf(stack)) unpack(tree, layer);
        const wanted = flatten(stack);
        expect(canonical(withoutLost(tree, wanted))).toEqual(canonical(wanted));
      }),
      { numRuns },
    );
  });

  it('as trees of an overlay show what the trees show', () => {
    fc.assert(
      fc.property(stacks, (stack) => {
        const tree = flatten(layersOf(stack).map(asTree).reverse());
        const wanted = flatten(stack);
        expect(canonical(withoutLost(tree, wanted))).toEqual(canonical(wanted));
      }),
      { numRuns },
    );
  });

  it('name directories before what is in them, each name once, and whiteouts of what is there alone', () => {
    fc.assert(
      fc.property(stacks, (stack) => {
        const layers = layersOf(stack);
        const below: FlatTree = new Map();
        for (const layer of layers) {
          const seen = new Set<string>();
          for (const member of layer.members) {
            const name = memberName(member);
            expect(seen.has(name)).toBe(false);
            if (name !== '') expect(seen.has(name.slice(0, Math.max(name.lastIndexOf('/'), 0)))).toBe(true);
            seen.add(name);
            if (member.kind === 'whiteout') expect(below.has(member.path)).toBe(true);
            if (member.kind === 'opaque') expect(below.get(member.path)?.directory).toBe(true);
          }
          unpack(below, layer);
        }
      }),
      { numRuns },
    );
  });
});

describe('the whole of a view as one archive', () => {
  it('holds what it shows', () => {
    fc.assert(
      fc.property(stacks, (stack) => {
        const view = new View(stack);
        const tree: FlatTree = new Map();
        unpack(tree, { members: [...allMembers(view, leftOut(), true)], view });
        const wanted = flatten(stack);
        expect(canonical(withoutLost(tree, wanted))).toEqual(canonical(wanted));
      }),
      { numRuns },
    );
  });
});

describe('what a layer cannot hold', () => {
  const listingOf = (entries: readonly Partial<Entry>[]) =>
    new MemoryListing(entries.map((entry) => makeEntry({ type: 'file', ...entry, path: entry.path as BytePath })));

  it('is refused by name where it would be a whiteout, and left out where it is a socket', () => {
    const whiteout = new View([listingOf([{ path: '.wh.name' as BytePath }])]);
    expect(() => [...layerMembers(whiteout, undefined, leftOut())]).toThrow(
      '/.wh.name has a name that means a whiteout',
    );
    expect([...allMembers(whiteout, leftOut(), false)].map(({ path }) => path)).toEqual(['', '.wh.name']);
    expect(() => [...allMembers(whiteout, leftOut(), true)]).toThrow('/.wh.name');
    const counted = leftOut();
    const socket = new View([listingOf([{ path: 'a' as BytePath, type: 'socket' }])]);
    expect([...layerMembers(socket, undefined, counted)].map(({ path }) => path)).toEqual(['']);
    expect(counted.sockets).toBe(1);
  });
});
