import { existsSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it, vi } from 'vitest';
import { fromText, join, toBuffer, toText } from '../../../src/base/bytes.js';
import type { BytePath } from '../../../src/base/bytes.js';
import { isoNow } from '../../../src/base/time.js';
import { makeEntry } from '../../../src/changeset/index.js';
import { addBase, createContainer, removeBase } from '../../../src/manifest/index.js';
import { onDurableStep } from '../../../src/platform/durable.js';
import { acquireLock } from '../../../src/platform/lock.js';
import { Transaction, initStore, removeFiles, withTransaction } from '../../../src/store/index.js';
import type { Store } from '../../../src/store/index.js';
import { temporaryDirectory } from '../platform/temporary.js';

const isRoot = process.getuid?.() === 0;
const at = temporaryDirectory();
let made = 0;

async function newStore(): Promise<Store> {
  return initStore(at(`store${String(++made)}`));
}

const root = makeEntry({ path: '', type: 'directory', mode: 0o755, uid: 0, gid: 0 });
const namesIn = (directory: BytePath) => readdirSync(toBuffer(directory)).sort();
const contentOf = (store: Store) => ({
  nodes: namesIn(store.paths.nodes),
  transactions: namesIn(store.paths.transactions),
  updates: namesIn(store.paths.updates),
  manifest: readFileSync(toBuffer(store.paths.manifest), 'utf8'),
});

async function importBase(store: Store, name: string): Promise<string> {
  return withTransaction(store, 'import', async (transaction) => {
    const node = transaction.stage('base-layer');
    mkdirSync(toBuffer(node.tree));
    writeFileSync(toBuffer(join(node.tree, fromText('file'))), 'content');
    const sealed = await transaction.seal(node);
    await transaction.publish((manifest) =>
      addBase(manifest, { name, layer: sealed, version: null, created: isoNow() }),
    );
    return node.id;
  });
}

async function remove(store: Store, name: string): Promise<void> {
  await store.change(async (manifest, publish) => {
    const { manifest: next, removedNodes } = removeBase(manifest, name);
    await publish({ ...next, generation: manifest.generation - 1 });
    await removeFiles(store, { nodes: removedNodes, updates: [] });
  });
}

describe.skipIf(!isRoot)('a transaction', () => {
  it('moves what was staged to its place by one publish', async () => {
    const store = await newStore();
    const id = await importBase(store, 'tiny');
    const manifest = await store.read();
    expect(manifest.bases['tiny']?.head).toBe(id);
    expect(namesIn(store.paths.transactions)).toEqual([]);
    expect(readFileSync(toBuffer(join(store.paths.node(id).tree, fromText('file'))), 'utf8')).toBe('content');
    expect(existsSync(toBuffer(store.paths.node(id).index))).toBe(true);
  });

  it.each([
    [
      'the work',
      async (transaction: Transaction) => {
        transaction.stageTop(root);
        return Promise.reject(new Error('no more'));
      },
    ],
    [
      'the change of the manifest',
      async (transaction: Transaction) => {
        const node = transaction.stageTop(root);
        await transaction.publish((manifest) =>
          createContainer(manifest, { name: 'web', base: 'none', storage: node.id, created: isoNow() }),
        );
      },
    ],
  ])('leaves no trace where %s fails', async (_, work) => {
    const store = await newStore();
    await importBase(store, 'tiny');
    const before = contentOf(store);
    await expect(withTransaction(store, 'test', (transaction) => work(transaction))).rejects.toThrow();
    const after = contentOf(store);
    expect(after).toEqual(before);
  });

  it('must be ended, and is of no use then', async () => {
    const store = await newStore();
    const before = contentOf(store);
    const kept: Transaction[] = [];
    const forgotten = withTransaction(store, 'test', async (transaction) => {
      kept.push(transaction);
      transaction.stageTop(root);
      return Promise.resolve('done');
    });
    await expect(forgotten).rejects.toThrow(/neither published nor discarded/);
    expect(contentOf(store)).toEqual(before);
    const [ended] = kept;
    expect(ended!.isOpen).toBe(false);
    expect(() => ended!.stage('storage')).toThrow(/has ended/);
    await expect(ended!.publish((manifest) => manifest)).rejects.toThrow(/has ended/);
    await ended!.discard();
    expect(contentOf(store)).toEqual(before);
  });

  it('is cleared away once its process is gone, and not before', async () => {
    const store = await newStore();
    const transaction = await Transaction.begin(store, 'test');
    transaction.stageTop(root);
    await importBase(store, 'tiny');
    expect(namesIn(store.paths.transactions)).toEqual([transaction.id]);
    transaction.lock.release();
    const recovery = await store.recover();
    expect(recovery.transactions).toEqual([transaction.id]);
    expect(namesIn(store.paths.transactions)).toEqual([]);
  });

  /** As a driver does: it keeps the lock of its work directory, and writes until it ends. */
  async function driverIn(transaction: Transaction): Promise<ChildProcess> {
    const { directory } = transaction.paths.run('base');
    const [work, kept] = [join(directory, fromText('work')), transaction.paths.update.run().directory].map(toText);
    const script =
      'mkdir -p "$2"; echo locked; for i in 1 2 3 4 5 6 7 8; do sleep 0.1; mkdir -p "$2"; echo $i >"$2/reads-$i"; done';
    mkdirSync(work!, { recursive: true });
    const driver = spawn('flock', [work!, 'sh', '-c', script, 'sh', work!, kept!], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    await once(driver.stdout, 'data');
    return driver;
  }

  it('is removed when the last driver has ended that writes into it', async () => {
    const store = await newStore();
    const transaction = await Transaction.begin(store, 'test');
    const driver = await driverIn(transaction);
    await transaction.discard();
    expect(driver.exitCode ?? (await once(driver, 'exit'))[0]).toBe(0);
    expect(namesIn(store.paths.transactions)).toEqual([]);
  });

  it('is cleared away when the last driver has ended that a dead command left', async () => {
    const store = await newStore();
    const transaction = await Transaction.begin(store, 'test');
    const driver = await driverIn(transaction);
    transaction.lock.release();
    await store.recover();
    expect(driver.exitCode ?? (await once(driver, 'exit'))[0]).toBe(0);
    expect(namesIn(store.paths.transactions)).toEqual([]);
  });

  it('is taken over while somebody looks whether it lives', async () => {
    const store = await newStore();
    const { id, lock, paths } = await Transaction.begin(store, 'test');
    lock.release();
    const looking = await acquireLock(paths.lock, 'shared');
    setTimeout(() => {
      looking.release();
    }, 50);
    const transaction = await Transaction.attach(store, id);
    await expect(Transaction.attach(store, id)).rejects.toMatchObject({ code: 'LOCK_HELD' });
    await transaction.discard();
  });

  it('seals a storage only when it publishes', async () => {
    const store = await newStore();
    await importBase(store, 'tiny');
    const storage = await withTransaction(store, 'create', async (transaction) => {
      const { id } = transaction.stageTop(root);
      await transaction.publish((manifest) =>
        createContainer(manifest, { name: 'web', base: 'tiny', storage: id, created: isoNow() }),
      );
      return id;
    });
    await withTransaction(store, 'test', async (transaction) => {
      await transaction.sealExisting(storage);
      expect(existsSync(toBuffer(store.paths.node(storage).index))).toBe(false);
      await transaction.discard();
    });
    expect(existsSync(toBuffer(store.paths.node(storage).index))).toBe(false);
    expect(statSync(toBuffer(store.paths.node(storage).work)).isDirectory()).toBe(true);
  });

  it('lets changes wait for each other', async () => {
    const store = await newStore();
    await Promise.all(['a', 'b', 'c', 'd'].map((name) => importBase(store, name)));
    expect(Object.keys((await store.read()).bases).sort()).toEqual(['a', 'b', 'c', 'd']);
    expect((await store.read()).generation).toBeGreaterThanOrEqual(4);
  });

  it('is made whole or not at all wherever the disk fails', async () => {
    const store = await newStore();
    await importBase(store, 'first');
    const before = contentOf(store);
    const quiet = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    let steps = 0;
    onDurableStep(() => void (steps += 1));
    await importBase(await newStore(), 'count');
    for (const times of [1, 2]) {
      for (let at = 10; at < steps + 1; at++) {
        let step = 0;
        onDurableStep(() => {
          if ((step += 1) >= at && step < at + times)
            throw Object.assign(new Error('EIO'), { code: 'EIO', syscall: 'fsync' });
        });
        const id = await importBase(store, 'second').catch(() => undefined);
        onDurableStep(undefined);
        await store.recover();
        const now = contentOf(store);
        const bases = Object.keys((await store.read()).bases);
        if (bases.length === 1) expect({ at, times, id, now }).toEqual({ at, times, id: undefined, now: before });
        else await remove(store, 'second');
        expect(contentOf(store).nodes).toEqual(before.nodes);
      }
    }
    quiet.mockRestore();
  });
});
