import { copyFileSync, linkSync, mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { fromText, toText } from '../../../src/base/bytes.js';
import { isoNow } from '../../../src/base/time.js';
import { makeEntry } from '../../../src/changeset/index.js';
import { addBase, createContainer } from '../../../src/manifest/index.js';
import { makeWhiteoutSync, removeXattrSync, setXattrSync } from '../../../src/platform/native.js';
import { initStore, withTransaction } from '../../../src/store/index.js';
import type { Store } from '../../../src/store/index.js';
import { verify } from '../../../src/verify/index.js';
import { differences, snapshot } from '../../support/tree.js';
import type { Snapshot } from '../../support/tree.js';
import { temporaryDirectory } from '../platform/temporary.js';

const isRoot = process.getuid?.() === 0;
const at = temporaryDirectory();
let made = 0;

const { signal } = new AbortController();
const mark = (path: string, name: string, value = 'y') => {
  setXattrSync(fromText(path), name, Buffer.from(value));
};
const setfacl = (...args: string[]) => execFileSync('setfacl', args);

describe.skipIf(!isRoot)('a sealed tree that is wrong in a way that its index shows', () => {
  let store: Store;
  let tree: string;
  let before: Snapshot;

  beforeEach(async () => {
    store = await initStore(at(`store${String(++made)}`));
    const id = await withTransaction(store, 'import', async (transaction) => {
      const node = transaction.stage('base-layer');
      fill(toText(node.tree));
      const sealed = await transaction.seal(node);
      await transaction.publish((manifest) =>
        addBase(manifest, { name: 'tiny', layer: sealed, version: null, created: isoNow() }),
      );
      return node.id;
    });
    tree = toText(store.paths.node(id).tree);
    before = snapshot(tree);
  });

  function fill(root: string): void {
    for (const directory of ['', 'open', 'open/kept', 'open/left', 'opaque', 'moved']) mkdirSync(join(root, directory));
    for (const name of ['one', 'two', 'open/three']) writeFileSync(join(root, name), 'same');
    writeFileSync(join(root, 'first'), 'linked');
    linkSync(join(root, 'first'), join(root, 'open/second'));
    symlinkSync('one', join(root, 'link'));
    makeWhiteoutSync(fromText(join(root, 'gone')));
    mark(join(root, 'opaque'), 'trusted.overlay.opaque');
    mark(join(root, 'moved'), 'trusted.overlay.redirect', '/from');
    setfacl('-m', 'u:33:r', join(root, 'two'));
    setfacl('-d', '-m', 'u:33:r', join(root, 'opaque'));
  }

  async function findings(repair = false) {
    const report = await verify(store, { nodes: [], quick: false, repair, signal });
    return report.findings.map(({ code, path, repaired }) => `${code} ${path ?? '-'}${repaired ? ' repaired' : ''}`);
  }

  const inTree = (name: string) => join(tree, name);

  it.each<[what: string, breaking: () => void, codes: string[]]>([
    [
      'a list of a directory and its default',
      () => setfacl('-m', 'u:1000:rwx,d:u:1000:rwx', inTree('open')),
      ['ACCESS_LIST open'],
    ],
    ['a list of a file, which widens its mode', () => setfacl('-m', 'u:1000:rwx', inTree('one')), ['ACCESS_LIST one']],
    ['a default list beside an own one', () => setfacl('-m', 'u:1000:rwx', inTree('opaque')), ['ACCESS_LIST opaque']],
    [
      'a mark of the other kind',
      () => {
        mark(inTree('open'), 'user.overlay.opaque');
      },
      ['FOREIGN_MARK open'],
    ],
    [
      'a mark of the other kind in place of its own',
      () => {
        removeXattrSync(fromText(inTree('opaque')), 'trusted.overlay.opaque');
        mark(inTree('opaque'), 'user.overlay.opaque');
      },
      ['MARKS opaque', 'FOREIGN_MARK opaque'],
    ],
    [
      'a mark too many',
      () => {
        mark(inTree('open'), 'trusted.overlay.opaque');
      },
      ['MARKS open'],
    ],
    [
      'a mark of something else',
      () => {
        mark(inTree('moved'), 'trusted.overlay.redirect', '/elsewhere');
      },
      ['MARKS moved'],
    ],
    [
      'names that were one file',
      () => {
        copyFileSync(inTree('first'), inTree('copy'));
        execFileSync('touch', ['-r', inTree('first'), inTree('copy')]);
        renameSync(inTree('copy'), inTree('first'));
      },
      ['LINKS first', 'LINKS open/second'],
    ],
    [
      'names that were files of their own',
      () => {
        linkSync(inTree('one'), inTree('copy'));
        renameSync(inTree('copy'), inTree('open/three'));
      },
      ['LINKS one', 'LINKS open/three'],
    ],
  ])('is repaired: %s', async (_, breaking, codes) => {
    breaking();
    expect(await findings()).toEqual(codes);
    expect([...differences(before, snapshot(tree)).keys()]).not.toEqual([]);
    expect(await findings(true)).toEqual(codes.map((code) => `${code} repaired`));
    expect([...differences(before, snapshot(tree))]).toEqual([]);
    expect(await findings()).toEqual([]);
  });

  it.each<[what: string, breaking: () => void, codes: string[]]>([
    [
      'content of names that were one file',
      () => {
        writeFileSync(inTree('copy'), 'LINKED');
        renameSync(inTree('copy'), inTree('first'));
      },
      ['CONTENT first', 'LINKS first', 'LINKS open/second'],
    ],
    ['an attribute that has another value', () => setfacl('-m', 'u:33:rw', inTree('two')), ['MODE two', 'XATTRS two']],
    [
      'an attribute that is content',
      () => {
        mark(inTree('one'), 'user.note');
      },
      ['XATTRS one'],
    ],
    ['a mode that no access list explains', () => execFileSync('chmod', ['4755', inTree('one')]), ['MODE one']],
  ])('is reported and left as it is: %s', async (_, breaking, codes) => {
    breaking();
    const broken = snapshot(tree);
    expect(await findings(true)).toEqual(codes);
    expect([...differences(broken, snapshot(tree))]).toEqual([]);
  });

  it('has lists reported that a storage has from its directory, and not of those that somebody set', async () => {
    const root = makeEntry({ path: '', type: 'directory', mode: 0o755, uid: 0, gid: 0 });
    const storage = await withTransaction(store, 'create', async (transaction) => {
      const { id, tree: top } = transaction.stageTop(root);
      for (const directory of ['opaque', 'open', 'open/new']) mkdirSync(join(toText(top), directory));
      setfacl('-d', '-m', 'u:33:r', join(toText(top), 'open'));
      for (const name of ['kept', 'left']) mkdirSync(join(toText(top), 'open', name));
      setfacl('-m', 'u:33:rwx', join(toText(top), 'open/kept'));
      await transaction.publish((manifest) =>
        createContainer(manifest, { name: 'web', base: 'tiny', storage: id, created: isoNow() }),
      );
      return id;
    });
    const report = await verify(store, { nodes: [], quick: false, repair: true, signal });
    expect(report.findings).toMatchObject([
      { code: 'INHERITED_LIST', severity: 'remark', subject: storage, path: 'open/left', containers: ['web'] },
    ]);
  });

  it('has names outside of it reported, and marks that say nothing where they are', async () => {
    linkSync(inTree('one'), join(tree, '../../../outside'));
    expect(await findings(true)).toContain('LINK_COUNT one');
    const file = await withTransaction(store, 'import', async (transaction) => {
      const node = transaction.stage('base-layer');
      mkdirSync(toText(node.tree));
      writeFileSync(join(toText(node.tree), 'file'), 'x');
      mark(join(toText(node.tree), 'file'), 'trusted.overlay.opaque');
      const sealed = await transaction.seal(node);
      await transaction.publish((manifest) =>
        addBase(manifest, { name: 'marked', layer: sealed, version: null, created: isoNow() }),
      );
      return node.id;
    });
    const report = await verify(store, { nodes: [file], quick: true, repair: false, signal });
    expect(report.findings).toMatchObject([{ code: 'MARK_PLACE', severity: 'remark', path: 'file' }]);
    expect(report.findings[0]).not.toHaveProperty('repair');
  });
});
