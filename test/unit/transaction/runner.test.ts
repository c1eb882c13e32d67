import { readFileSync, readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { toBuffer } from '../../../src/base/bytes.js';
import { refused } from '../../../src/base/errors.js';
import { isoNow } from '../../../src/base/time.js';
import { makeEntry } from '../../../src/changeset/index.js';
import { addBase, createContainer, replaceNodes } from '../../../src/manifest/index.js';
import type { Manifest } from '../../../src/manifest/index.js';
import { makePlainDirectory } from '../../../src/platform/exact.js';
import { initStore, withTransaction } from '../../../src/store/index.js';
import type { Store, Transaction } from '../../../src/store/index.js';
import { previewChange, publishChange, withChange } from '../../../src/transaction/index.js';
import type { Change, ChangeContext } from '../../../src/transaction/index.js';
import { temporaryDirectory } from '../platform/temporary.js';

const isRoot = process.getuid?.() === 0;
const at = temporaryDirectory();
let made = 0;

const root = makeEntry({ path: '', type: 'directory', mode: 0o755, uid: 0, gid: 0 });

async function importBase(store: Store, name: string): Promise<void> {
  await withTransaction(store, 'import', async (transaction) => {
    const node = transaction.stage('base-layer');
    makePlainDirectory(node.tree);
    const layer = await transaction.seal(node);
    await transaction.publish((manifest) => addBase(manifest, { name, layer, version: null, created: isoNow() }));
  });
}

/** A store with a base, and containers on it. */
async function newStore(...containers: string[]): Promise<Store> {
  const store = await initStore(at(`store${String(++made)}`));
  await importBase(store, 'a');
  for (const name of containers) await addContainer(store, name);
  return store;
}

async function addContainer(store: Store, name: string): Promise<void> {
  await withTransaction(store, 'create', async (transaction) => {
    const storage = transaction.stageTop(root).id;
    const added = { name, base: 'a', storage, created: isoNow() };
    await transaction.publish((manifest) => createContainer(manifest, added));
  });
}

const contentOf = (store: Store) => ({
  nodes: readdirSync(toBuffer(store.paths.nodes)).sort(),
  transactions: readdirSync(toBuffer(store.paths.transactions)),
  manifest: readFileSync(toBuffer(store.paths.manifest), 'utf8'),
});

/** Gives every container a fresh top storage, and writes down which of its members were called. */
class Renewal implements Change<readonly string[]> {
  readonly said: string[] = [];
  readonly #tops = new Map<string, { readonly old: string; readonly fresh: string }>();

  constructor(
    readonly transaction: Transaction,
    readonly onJudge: (after: Manifest) => Promise<void> | void = () => undefined,
  ) {}

  readonly plan = (manifest: Manifest) => {
    const missing = Object.keys(manifest.containers).filter((name) => !this.#tops.has(name));
    return missing.length === 0 ? undefined : missing;
  };

  readonly stage = async (names: readonly string[], manifest: Manifest) => {
    this.said.push(`stage ${names.join()}`);
    for (const name of names) {
      const old = manifest.containers[name]!.storage;
      this.#tops.set(name, { old, fresh: this.transaction.stageTop(root).id });
    }
    return Promise.resolve();
  };

  readonly transition = (manifest: Manifest) => {
    const tops = [...this.#tops.values()];
    const replaced = new Map(tops.map(({ old, fresh }) => [old, { id: fresh, entries: 0, bytes: 0 }]));
    const next = { ...replaceNodes(manifest, replaced), generation: manifest.generation + 1 };
    return { manifest: next, removedNodes: tops.map(({ old }) => old), removedUpdates: [] };
  };

  readonly judge = async (after: Manifest) => {
    this.said.push(`judge ${Object.keys(after.containers).join()}`);
    await this.onJudge(after);
  };

  readonly permit = async () => {
    this.said.push('permit');
    return Promise.resolve();
  };
}

describe.skipIf(!isRoot)('a change of the store', () => {
  const begin = { kind: 'test' };
  const inContext = <T>(store: Store, work: (context: ChangeContext) => Promise<T>) => withChange(store, begin, work);

  it('is staged, judged and published', async () => {
    const store = await newStore('web', 'db');
    const { change, published } = await inContext(store, async (context) => {
      const change = new Renewal(context.transaction);
      return { change, published: await publishChange(context, change) };
    });
    expect(change.said).toEqual(['stage db,web', 'judge db,web', 'permit']);
    expect(await store.read()).toEqual(published);
    expect(contentOf(store).transactions).toEqual([]);
    const storages = Object.values(published!.containers).map(({ storage }) => storage);
    expect(contentOf(store).nodes).toEqual([published!.bases['a']!.head, ...storages].sort());
  });

  it('is planned again for what came since, and judged again', async () => {
    const store = await newStore('web');
    const change = await inContext(store, async (context) => {
      const change = new Renewal(context.transaction, async (after) => {
        if (after.containers['db'] === undefined) await addContainer(store, 'db');
      });
      await publishChange(context, change);
      return change;
    });
    expect(change.said).toEqual(['stage web', 'judge web', 'stage db', 'judge db,web', 'permit']);
  });

  it.each([
    ['it is judged to be no good', { judge: () => Promise.reject(refused('no good')) }, /no good/],
    ['the work of others forbids it', { permit: () => Promise.reject(refused('not now')) }, /not now/],
    ['it cannot be staged', { stage: () => Promise.reject(refused('no room')) }, /no room/],
  ])('leaves no trace where %s', async (_, members, says) => {
    const store = await newStore('web');
    const before = contentOf(store);
    const done = inContext(store, async (context) =>
      publishChange(context, Object.assign(new Renewal(context.transaction), members)),
    );
    await expect(done).rejects.toThrow(says);
    expect(contentOf(store)).toEqual(before);
  });

  it('is not published once it is interrupted', async () => {
    const store = await newStore('web');
    const before = contentOf(store);
    const controller = new AbortController();
    const done = withChange(store, { ...begin, signal: controller.signal }, async (context) => {
      const interrupt = () => {
        controller.abort(new Error('interrupted'));
      };
      return publishChange(context, new Renewal(context.transaction, interrupt));
    });
    await expect(done).rejects.toThrow('interrupted');
    expect(contentOf(store)).toEqual(before);
  });

  it('is discarded where it is empty, and is not judged', async () => {
    const store = await newStore('web');
    const before = contentOf(store);
    const empty = await inContext(store, async (context) => {
      const change = Object.assign(new Renewal(context.transaction), { isEmpty: () => true });
      expect(await publishChange(context, change)).toBeUndefined();
      return change;
    });
    expect(empty.said).toEqual(['stage web']);
    expect(contentOf(store)).toEqual(before);
  });

  it('can be looked at without being published', async () => {
    const store = await newStore('web');
    const before = contentOf(store);
    const seen = await inContext(store, async (context) => {
      const change = new Renewal(context.transaction);
      return previewChange(context, change, (now, after) =>
        [now, after].map((each) => each.containers['web']!.storage),
      );
    });
    expect(new Set(seen).size).toBe(2);
    expect(contentOf(store)).toEqual(before);
  });

  it('is refused where a container that is held is not what it was', async () => {
    const store = await newStore('web');
    const stale = await store.read();
    await inContext(store, async (context) => publishChange(context, new Renewal(context.transaction)));
    const { storage } = stale.containers['web']!;
    makePlainDirectory(store.paths.node(storage).directory);
    makePlainDirectory(store.paths.node(storage).work);
    const done = withChange(store, { ...begin, before: async (hold) => hold.add(stale, ['web']) }, async (context) =>
      publishChange(context, new Renewal(context.transaction)),
    );
    await expect(done).rejects.toMatchObject({ code: 'STALE' });
  });
});
