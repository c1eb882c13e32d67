import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { dirname, fromText, join, toBuffer, toText } from '../../../src/base/bytes.js';
import type { BytePath } from '../../../src/base/bytes.js';
import { makeEntry } from '../../../src/changeset/index.js';
import type { Entry, EntryType, PlanOperation } from '../../../src/changeset/index.js';
import { makePlainDirectory, setExactly } from '../../../src/platform/exact.js';
import { removeTree } from '../../../src/platform/walk.js';
import {
  cloneTree,
  importDirectory,
  initStore,
  makeEmptyTree,
  materialise,
  withTransaction,
} from '../../../src/store/index.js';
import { attributesBelow, described, hostile, wanted } from '../../support/access-lists.js';
import type { Wanted } from '../../support/access-lists.js';
import { temporaryDirectory } from '../platform/temporary.js';

const isRoot = process.getuid?.() === 0;
const at = temporaryDirectory();
let made = 0;

/** A fresh name in a directory that all that is made in it takes after. */
function fresh(): BytePath {
  const parent = at(`hostile${String(++made)}`);
  mkdirSync(toBuffer(parent));
  setExactly(parent, hostile);
  return join(parent, fromText('tree'));
}

const names = ['a', 'b', 'c'];
const paths = names.flatMap((a) => [a, ...names.flatMap((b) => [`${a}/${b}`, ...names.map((c) => `${a}/${b}/${c}`)])]);
const types = ['directory', 'directory', 'file', 'symlink', 'fifo', 'character', 'whiteout'] as const;

interface Planned {
  readonly path: BytePath;
  readonly type: EntryType;
  readonly opaque: boolean;
  readonly has: Wanted;
}

const node: fc.Arbitrary<Omit<Planned, 'path'>> = fc.constantFrom(...types).chain((type) =>
  fc.record({
    type: fc.constant(type),
    opaque: fc.boolean().map((opaque) => opaque && type === 'directory'),
    has: wanted(type === 'directory' ? 'directory' : 'file'),
  }),
);

/** A tree whose root is a directory; what lies below no directory is left out. */
const tree = fc
  .tuple(
    wanted('directory'),
    fc.uniqueArray(fc.tuple(fc.constantFrom(...paths), node), { maxLength: 12, selector: ([path]) => path }),
  )
  .map(([root, nodes]) => {
    const entries = new Map<string, Planned>([
      ['', { path: '' as BytePath, type: 'directory', opaque: false, has: root }],
    ]);
    for (const [text, each] of nodes.sort(([a], [b]) => a.length - b.length)) {
      const path = fromText(text);
      if (entries.get(toText(dirname(path)))?.type === 'directory') entries.set(text, { path, ...each });
    }
    return [...entries.values()];
  });

const size = 3;

/** A symlink's access list and user attributes are refused by the kernel. */
const allowed = ({ type, has }: Planned) =>
  type === 'symlink'
    ? new Map([...has.xattrs].filter(([name]) => /^(?:trusted|security)\./.test(name)))
    : type === 'file' || type === 'directory'
      ? has.xattrs
      : new Map([...has.xattrs].filter(([name]) => !name.startsWith('user.')));

function entryOf(planned: Planned): Entry {
  const { path, type, has } = planned;
  return makeEntry({
    path,
    type,
    ...has,
    size: type === 'file' ? size : 0,
    xattrs: allowed(planned),
    target: type === 'symlink' ? 'x' : '',
    rdevMajor: type === 'character' ? 1 : 0,
    rdevMinor: type === 'character' ? 3 : 0,
  });
}

function operationOf(planned: Planned): PlanOperation {
  const { path, type, opaque } = planned;
  const attributes = entryOf(planned);
  if (type === 'directory') return { kind: 'directory', path, attributes, opaque };
  if (type === 'file') return { kind: 'file', path, attributes, source: { layer: 0, path: fromText('content') } };
  if (type === 'symlink') return { kind: 'symlink', path, attributes, target: attributes.target };
  return type === 'whiteout' ? { kind: 'whiteout', path } : { kind: 'node', path, attributes };
}

const typeBits: Record<string, number> = {
  directory: 0o40000,
  file: 0o100000,
  symlink: 0o120000,
  fifo: 0o10000,
  character: 0o20000,
};

/** What the file system is to tell of it; undefined of a whiteout, of which only that it has no attributes counts. */
function expected(planned: Planned): string {
  const { type, opaque, has } = planned;
  const marks: [string, Buffer][] = opaque ? [['trusted.overlay.opaque', Buffer.from('y')]] : [];
  const mode = (typeBits[type] ?? 0) | (type === 'symlink' ? 0o777 : has.mode);
  return described(mode, { ...has, xattrs: new Map([...allowed(planned), ...marks]) });
}

async function make(entries: readonly Planned[]): Promise<BytePath> {
  const source = at(`source${String(++made)}`);
  mkdirSync(toBuffer(source));
  writeFileSync(toBuffer(join(source, fromText('content'))), 'abc');
  const [root, ...below] = entries;
  const target = fresh();
  const plan = { root: entryOf(root!), changesRoot: true, operations: below.map(operationOf) };
  await materialise({ plan, tree: target, sources: [source], marks: 'trusted' });
  return target;
}

function check(target: BytePath, entries: Iterable<readonly [path: BytePath, told: string | undefined]>): void {
  const found = attributesBelow(toText(target));
  const wantedOf = new Map<string, string>();
  for (const [path, told] of entries) {
    const text = toText(path);
    // Of a whiteout owner and time are nobody's.
    if (told === undefined) expect(found.get(text)?.split(' ').slice(3)).toEqual([]);
    wantedOf.set(text, told ?? found.get(text) ?? '');
  }
  expect(Object.fromEntries(found)).toEqual(Object.fromEntries(wantedOf));
}

const told = (planned: Planned) => (planned.type === 'whiteout' ? undefined : expected(planned));

/** By every umask, which must not tell. */
async function withUmask(umask: number, work: () => Promise<void>): Promise<void> {
  const before = process.umask(umask);
  try {
    await work();
  } finally {
    process.umask(before);
  }
}

const umasks = fc.constantFrom(0, 0o022, 0o077, 0o777);
const runs = { numRuns: 60 };

describe.skipIf(!isRoot)('in a directory with a default access list and the set-group-ID bit', () => {
  it('a materialised tree has exactly the attributes that were planned', async () => {
    await fc.assert(
      fc.asyncProperty(tree, umasks, async (entries, umask) => {
        await withUmask(umask, async () => {
          const target = await make(entries);
          check(
            target,
            entries.map((each) => [each.path, told(each)] as const),
          );
          removeTree(dirname(target));
        });
      }),
      runs,
    );
  });

  it('a clone of a tree has exactly its attributes, and those that were edited', async () => {
    const edits = fc.record({
      without: fc.constantFrom(...paths),
      directories: fc.dictionary(fc.constantFrom('', ...names, 'a/a', 'b/b'), wanted('directory')),
      files: fc.dictionary(fc.constantFrom('a', 'b/a'), wanted('file')),
    });
    await fc.assert(
      fc.asyncProperty(tree, edits, umasks, async (entries, { without, directories, files }, umask) => {
        await withUmask(umask, async () => {
          const from = await make(entries);
          const target = fresh();
          const edited = entries.map((each): Planned => {
            const text = toText(each.path);
            const has = each.type === 'directory' ? directories[text] : each.type === 'file' ? files[text] : undefined;
            return has === undefined ? each : { ...each, has };
          });
          const asEntry = (each: Planned) => [each.path, entryOf(each)] as const;
          const changed = edited.filter((each) => !entries.includes(each));
          cloneTree(from, target, {
            without: new Set([fromText(without)]),
            directories: new Map(changed.filter(({ type }) => type === 'directory').map(asEntry)),
            files: new Map(
              changed
                .filter(({ type }) => type === 'file')
                .map((each) => [each.path, { content: Buffer.from('new'), attributes: entryOf(each) }] as const),
            ),
          });
          const left = edited.filter(({ path }) => path !== fromText(without) && !path.startsWith(`${without}/`));
          const found = attributesBelow(toText(target));
          check(
            target,
            left.map((each) => {
              if (each.type !== 'file' || !changed.includes(each)) return [each.path, told(each)] as const;
              // New content has a time of its own.
              const time = found.get(toText(each.path))?.split(' ')[2] ?? '';
              return [each.path, told({ ...each, has: { ...each.has, mtimeNs: BigInt(time) } })] as const;
            }),
          );
          for (const each of [from, target]) removeTree(dirname(each));
        });
      }),
      runs,
    );
  });

  it('an empty tree has exactly the attributes of its root', async () => {
    await fc.assert(
      fc.asyncProperty(wanted('directory'), umasks, async (has, umask) => {
        await withUmask(umask, async () => {
          const target = fresh();
          const root: Planned = { path: '' as BytePath, type: 'directory', opaque: false, has };
          makeEmptyTree(target, entryOf(root));
          check(target, [[root.path, told(root)]]);
          removeTree(dirname(target));
          return Promise.resolve();
        });
      }),
      runs,
    );
  });

  it('an imported tree has exactly the attributes of its source', async () => {
    await fc.assert(
      fc.asyncProperty(tree, async (entries) => {
        // A whiteout in a source is content, and is escaped.
        const plain = entries.filter(({ type }) => type !== 'whiteout').map((each) => ({ ...each, opaque: false }));
        const from = await make(plain);
        const target = fresh();
        await importDirectory(from, target, {});
        check(
          target,
          plain.map((each) => [each.path, told(each)] as const),
        );
        for (const each of [from, target]) removeTree(dirname(each));
      }),
      runs,
    );
  });

  it('what is staged takes nothing from the directories of the store', async () => {
    // A store is only made where nobody else may write: what is hostile is what was done to a part of it.
    const place = at(`own${String(++made)}`);
    makePlainDirectory(place);
    const store = await initStore(join(place, fromText('store')));
    setExactly(store.paths.transactions, { ...hostile, mode: 0o2700 });
    await withTransaction(store, 'test', async (transaction) => {
      const { tree: staged, work } = transaction.stageTop(
        makeEntry({ path: '', type: 'directory', mode: 0o755, uid: 0, gid: 0 }),
      );
      const lists = execFileSync('getfacl', ['-cp', '--', toText(staged), toText(work)], { encoding: 'utf8' });
      expect(lists).not.toContain('default:');
      expect(lists).not.toContain('4242');
      expect(attributesBelow(toText(work)).get('')).toMatch(/^40700 0:\d+ \d+$/);
      await transaction.discard();
    });
  });
});
