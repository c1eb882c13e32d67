import { describe, expect, it } from 'vitest';
import type { BytePath } from '../../../src/base/bytes.js';
import {
  MemoryListing,
  TouchedPaths,
  View,
  compareViews,
  computeDelta,
  covered,
  isEmptyPlan,
  makeEntry,
  planSize,
  touchedPaths,
  unknownContents,
} from '../../../src/changeset/index.js';
import type { Entry, Listing } from '../../../src/changeset/index.js';

type Fields = Partial<Omit<Entry, 'path'>>;

const dir: Fields = { type: 'directory' };
const file = (content: number, fields: Fields = {}): Fields => ({
  type: 'file',
  size: 10,
  contentHash: BigInt(content),
  ...fields,
});
const gone: Fields = { type: 'whiteout' };

function tree(entries: Record<string, Fields>): MemoryListing {
  return new MemoryListing(Object.entries(entries).map(([path, fields]) => makeEntry({ ...fields, path })));
}

const p = (path: string) => path as BytePath;

function plan(w: Listing, s: Listing, d: Listing, l: Listing) {
  const target = new View([w, s, l]);
  const base = new View([s, d, l]);
  return computeDelta({ target, base, covered: covered(target, base, [w, d]) });
}

function deltaOf(...trees: [Listing, Listing, Listing, Listing]) {
  return plan(...trees).operations.map(({ kind, path }) => `${kind} ${path}`);
}

const empty = tree({});

describe('the delta storage', () => {
  const l = tree({ etc: dir, 'etc/conf': file(1), 'etc/other': file(2), lib: dir, 'lib/so': file(3) });

  it('is empty where the container got the same as the base', () => {
    const d = tree({ etc: dir, 'etc/conf': file(5), lib: dir, 'lib/so': gone });
    expect(isEmptyPlan(plan(d, empty, d, l))).toBe(true);
  });

  it('is empty where the user’s file hides the change and the procedure left it alone', () => {
    const d = tree({ etc: dir, 'etc/conf': file(5) });
    const s = tree({ etc: dir, 'etc/conf': file(9) });
    expect(deltaOf(empty, s, d, l)).toEqual([]);
  });

  it('holds what the procedure made of the user’s file', () => {
    const d = tree({ etc: dir, 'etc/conf': file(5) });
    const s = tree({ etc: dir, 'etc/conf': file(9) });
    const w = tree({ etc: dir, 'etc/conf': file(7), 'etc/conf.old': file(9) });
    expect(deltaOf(w, s, d, l)).toEqual(['directory etc', 'file etc/conf', 'file etc/conf.old']);
  });

  it('holds a copy of what the base removed and the container still has', () => {
    const d = tree({ lib: gone });
    expect(deltaOf(empty, empty, d, l)).toEqual(['directory lib', 'file lib/so']);
  });

  it('takes away what the base got and the container did not', () => {
    const d = tree({ etc: dir, 'etc/new': file(5) });
    expect(deltaOf(empty, empty, d, l)).toEqual(['directory etc', 'whiteout etc/new']);
  });

  it('undoes the base’s change of a directory that the container moved away', () => {
    const s = tree({ etc: gone, conf: { ...dir, redirect: '/etc' } });
    const d = tree({ etc: dir, 'etc/conf': file(5) });
    expect(deltaOf(empty, s, d, l)).toEqual(['directory conf', 'file conf/conf']);
  });

  it('undoes the base’s change of the data below a metacopy', () => {
    const s = tree({ etc: dir, 'etc/conf': file(0, { metacopy: true, mode: 0o600 }) });
    const d = tree({ etc: dir, 'etc/conf': file(5) });
    const made = plan(empty, s, d, l);
    expect(made.operations).toMatchObject([
      { kind: 'directory', path: 'etc' },
      { kind: 'file', path: 'etc/conf', attributes: { mode: 0o600 }, source: { layer: 2, path: 'etc/conf' } },
    ]);
  });

  it('uses one opaque mark where that is smaller than the whiteouts', () => {
    const names = Object.fromEntries(Array.from({ length: 5 }, (_, i) => [`lib/${i}`, file(i + 1)]));
    const many = tree({ lib: dir, ...names });
    const w = tree({ lib: { ...dir, opaque: true }, 'lib/new': file(9) });
    expect(plan(w, empty, empty, many).operations).toMatchObject([
      { kind: 'directory', path: 'lib', opaque: true },
      { kind: 'file', path: 'lib/new' },
    ]);
    const heavy = tree({ lib: dir, ...names, 'lib/4': file(5, { size: 1 << 20 }) });
    const keeping = tree({ lib: { ...dir, opaque: true }, 'lib/4': file(5, { size: 1 << 20 }) });
    expect(deltaOf(keeping, empty, empty, heavy)).toEqual([
      'directory lib',
      ...[0, 1, 2, 3].map((i) => `whiteout lib/${i}`),
    ]);
  });

  it('writes a hard-link group whole where only its linking changed', () => {
    const linked = tree({ a: file(1, { group: 0 }), b: file(1, { group: 0 }), c: file(1, { group: 0 }) });
    const w = tree({ c: file(1) });
    expect(deltaOf(w, empty, empty, linked)).toEqual(['file c']);
    const apart = tree({ a: file(1), b: file(1), c: file(1) });
    const joined = tree({ a: file(1, { group: 0 }), c: file(1, { group: 0 }) });
    expect(plan(joined, empty, empty, apart).operations).toMatchObject([
      { kind: 'file', path: 'a' },
      { kind: 'link', path: 'c', to: 'a' },
    ]);
  });

  it('keeps the larger part of a hard-link group that came apart', () => {
    const linked = tree({ a: file(1, { group: 0 }), b: file(1, { group: 0 }), c: file(1, { group: 0 }) });
    expect(deltaOf(tree({ a: file(1) }), empty, empty, linked)).toEqual(['file a']);
    const w = tree({ b: file(1, { group: 0 }), c: file(1, { group: 0 }) });
    expect(deltaOf(w, empty, empty, linked)).toEqual(['file a']);
  });

  it('makes no directory opaque over what is linked elsewhere', () => {
    const names = Object.fromEntries(Array.from({ length: 5 }, (_, i) => [`lib/${i}`, file(i + 2)]));
    const linked = tree({ a: file(1, { group: 0 }), lib: dir, 'lib/a': file(1, { group: 0 }), ...names });
    const w = tree({ lib: dir, ...Object.fromEntries(Object.keys(names).map((path) => [path, gone])) });
    expect(deltaOf(w, empty, empty, linked)).toEqual([
      'directory lib',
      ...Object.keys(names).map((path) => `whiteout ${path}`),
    ]);
    const alone = tree({ lib: dir, 'lib/a': file(1, { size: 0 }), ...names });
    expect(deltaOf(w, empty, empty, alone)).toEqual(['directory lib', 'file lib/a']);
  });

  it('takes the time of a file for a difference, and that of a directory for none', () => {
    const w = tree({ etc: { ...dir, mtimeNs: 5n }, 'etc/conf': file(1, { mtimeNs: 7n }) });
    const touched = plan(w, empty, empty, l);
    expect(touched.operations.map(({ path }) => path)).toEqual(['etc', 'etc/conf']);
    const carried = tree({ etc: { ...dir, mtimeNs: 5n } });
    expect(isEmptyPlan(plan(carried, empty, empty, l))).toBe(true);
  });

  it('carries the attributes of the root', () => {
    const w = tree({ '': { ...dir, mode: 0o700 } });
    const made = plan(w, empty, empty, l);
    expect(made.operations).toEqual([]);
    expect(isEmptyPlan(made)).toBe(false);
    expect(made.root.mode).toBe(0o700);
  });

  it('says how large it is', () => {
    const w = tree({ etc: dir, 'etc/new': file(9), lib: gone });
    expect(planSize(plan(w, empty, empty, l))).toEqual({ entries: 3, bytes: 10 });
  });

  it('refuses a target whose content nobody has', () => {
    const w = tree({ new: file(0, { metacopy: true }) });
    expect(() => plan(w, empty, empty, l)).toThrow(/no layer holds the content of new/);
  });
});

describe('content that is not hashed yet', () => {
  const l = tree({ a: file(1), b: file(2), c: file(3, { size: 11 }) });
  const w = tree({ a: file(0), b: file(0), c: file(0) });
  const [below, above] = [new View([l]), new View([w, l])];

  it('is named where nothing else shows it, and asked for then', () => {
    const unknown = unknownContents(above, below);
    expect(unknown.map(({ listing, path }) => [listing === w, path])).toEqual([
      [true, 'a'],
      [true, 'b'],
    ]);
    expect(() => compareViews(below, above)).toThrow(/was not hashed/);
    const hashes = ({ path }: { path: BytePath }) => (path === 'a' ? 1n : 9n);
    expect(compareViews(below, above, { hashes }).map(({ path }) => path)).toEqual(['b', 'c']);
    const made = computeDelta({ target: above, base: below, covered: covered(above, below, [w]), hashes });
    expect(made.operations.map(({ path }) => path)).toEqual(['b', 'c']);
  });
});

describe('what overlaps', () => {
  const l = tree({
    etc: dir,
    'etc/a': file(1),
    'etc/b': file(2),
    var: dir,
    'var/x': file(3),
    opt: dir,
    'opt/y': file(4),
  });
  const below = new View([l]);
  const d = tree({ etc: dir, 'etc/a': file(5), var: gone });

  it('leaves out directories that only carry others', () => {
    expect(touchedPaths(d, below)).toEqual(['etc/a', 'var']);
  });

  it('is the same path, what it hides, and what hides it', () => {
    const touched = new TouchedPaths().add(d, below);
    const overlapping = (entries: Record<string, Fields>) => touched.overlapping(tree(entries), below);
    expect(overlapping({ etc: dir, 'etc/b': file(9), home: dir, 'home/z': file(9) })).toEqual([]);
    expect(overlapping({ etc: dir, 'etc/a': file(9), 'etc/c': file(9) })).toEqual(['etc/a']);
    expect(overlapping({ var: dir, 'var/log': file(9) })).toEqual(['var/log']);
    expect(overlapping({ etc: { ...dir, opaque: true }, 'etc/c': file(9) })).toEqual(['etc', 'etc/c']);
    expect(overlapping({ etc: gone })).toEqual(['etc']);
    expect(overlapping({ conf: { ...dir, redirect: '/etc' }, etc: gone })).toEqual(['conf', 'etc']);
    expect(overlapping({ o: { ...dir, redirect: 'opt' }, opt: gone })).toEqual([]);
    expect(overlapping({ etc: { ...dir, mode: 0o700 } })).toEqual([]);
  });
});

describe('an absolute redirect', () => {
  it('leads on even through an opaque directory', () => {
    const view = new View([
      tree({ c: { ...dir, redirect: '/b/a' } }),
      tree({ b: { ...dir, opaque: true }, 'b/a': { ...dir, redirect: '/x' } }),
      tree({ b: dir, 'b/a': dir, 'b/a/hidden': file(1), x: dir, 'x/f': file(2) }),
    ]);
    expect(view.names(p('c'))).toEqual(['f']);
    expect(view.get(p('c/f'))?.data).toEqual({ layer: 2, path: 'x/f' });
    expect(view.pathsOf(2, p('x/f')).sort()).toEqual(['b/a/f', 'c/f', 'x/f']);
    expect(view.pathsOf(2, p('b/a/hidden'))).toEqual([]);
  });
});

describe('names that are bytes', () => {
  it('come in byte order', () => {
    const view = new View([tree({ [p('\xff')]: file(1), a: file(1), Z: file(1) })]);
    expect(view.names(p(''))).toEqual(['Z', 'a', '\xff']);
    expect(view.get(p('nothing/there'))).toBeUndefined();
    expect(view.get(p('a/below'))).toBeUndefined();
  });
});

/** Counts how often it is asked for an entry or for names. */
class CountingListing extends MemoryListing {
  asked = 0;
  override get(path: BytePath): Entry | undefined {
    this.asked += 1;
    return super.get(path);
  }
  override names(directory: BytePath): readonly string[] {
    this.asked += 1;
    return super.names(directory);
  }
}

describe('the cost', () => {
  it('follows the change, not the container', () => {
    const entries: Entry[] = [];
    for (let i = 0; i < 100; i++) {
      entries.push(makeEntry({ ...dir, path: `d${i}` }));
      for (let j = 0; j < 100; j++) entries.push(makeEntry({ ...file(j + 1), path: `d${i}/${j}` }));
    }
    const l = new CountingListing(entries);
    const d = tree({ d1: dir, 'd1/1': file(999), d2: dir, 'd2/new': file(999) });
    for (let container = 0; container < 10; container++) {
      l.asked = 0;
      const s = tree({ d1: dir, 'd1/1': file(container + 2000), d5: dir, 'd5/5': gone });
      const w = tree({ d1: dir, 'd1/1': file(container + 4000), d2: dir, 'd2/new': file(999) });
      expect(deltaOf(w, s, d, l)).toEqual(['directory d1', 'file d1/1']);
      // The first one reads the layer whole, for all that follow.
      if (container > 0) expect(l.asked).toBeLessThan(500);
    }
  });
});
