import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { commitSnapshot, prepareSnapshot, removeSnapshot, updateSnapshot } from '../../src/app/snapshots.js';
import { fromText } from '../../src/base/bytes.js';
import { checkGraph } from '../../src/manifest/index.js';
import { onDurableStep } from '../../src/platform/durable.js';
import { isMachineRoot } from '../../src/platform/privileges.js';
import { Store, initStore } from '../../src/store/index.js';
import { verify } from '../../src/verify/index.js';
import { snapshot } from '../support/tree.js';
import { CrashPoints, copyStore } from './copy.js';

const { signal } = new AbortController();
const containerLabel = 'containerd.io/snapshot/dev.lamina.container';
const fast = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

type Call = (store: Store) => Promise<unknown>;

const prepare =
  (key: string, parent: string, container?: string): Call =>
  (store) =>
    prepareSnapshot(
      store,
      {
        ...{ kind: 'active', key, parent, signal },
        labels: container === undefined ? {} : { [containerLabel]: container },
      },
      'kernel',
    );
const commit =
  (name: string, key: string): Call =>
  (store) =>
    commitSnapshot(store, { name, key, parent: '', labels: {}, signal });
const remove =
  (name: string): Call =>
  (store) =>
    removeSnapshot(store, name);

/** Every call of containerd that changes something, stopped at each of its durable steps. */
const calls: readonly (readonly [string, Call])[] = [
  ['Prepare', prepare('fresh', '')],
  ['Prepare on a parent', prepare('fresh', 'one')],
  ['Prepare of a container', prepare('fresh', 'one', 'new')],
  ['Prepare of a container with a newer image', prepare('fresh', 'two', 'web')],
  ['Commit', commit('three', 'active')],
  ['Remove of an active snapshot', remove('active')],
  ['Remove of a committed snapshot', remove('alone')],
  ['Remove of a snapshot that shows a container', remove('web-key')],
  ['Update', (store) => updateSnapshot(store, { name: 'one', labels: { l: '1' }, fields: [] })],
];

describe.skipIf(!isMachineRoot())('a snapshotter that is killed', () => {
  const directory = mkdtempSync(join(fast, 'lamina-crash-snapshots-'));
  const sample = join(directory, 'sample');
  let points = 0;

  async function image(store: Store, name: string, parent: string, file: string): Promise<void> {
    const [mount] = await prepareSnapshot(store, { kind: 'active', key: 'key', parent, labels: {}, signal }, 'kernel');
    const upper = mount!.options.find((each) => each.startsWith('upperdir='))?.slice('upperdir='.length);
    writeFileSync(join(upper ?? mount!.source, file), name);
    await commitSnapshot(store, { name, key: 'key', parent: '', labels: {}, signal });
  }

  beforeAll(async () => {
    const store = await initStore(fromText(sample));
    await image(store, 'one', '', 'a');
    await image(store, 'two', 'one', 'b');
    await image(store, 'alone', '', 'c');
    await prepare('active', 'two')(store);
    await prepare('web-key', 'one', 'web')(store);
  });
  afterAll(() => {
    process.stdout.write(`crash points: ${points} of ${calls.length} calls\n`);
    rmSync(directory, { recursive: true, force: true });
  });

  /** What containerd and people see, and what no call may lose. */
  async function seen(at: string): Promise<object> {
    const store = new Store(fromText(at));
    await store.recover();
    const { containerd, containers, bases, updates, nodes } = await store.read();
    const trees = Object.keys(nodes).map((id) => [id, [...snapshot(join(at, 'nodes', id, 'tree'))]]);
    return { containerd, containers, bases, updates: Object.keys(updates), trees: Object.fromEntries(trees) as object };
  }

  it.each(calls)('in %s has done it, or not', { timeout: 600_000 }, async (name, call) => {
    const at = join(directory, name.replaceAll(' ', '-'));
    mkdirSync(at);
    const store = join(at, 'store');
    copyStore(sample, store);
    const before = await seen(store);
    const crashed = new CrashPoints(store, join(at, 'points'), () => existsSync(store));
    onDurableStep(crashed.hook);
    await call(new Store(fromText(store)));
    onDurableStep(undefined);
    const after = await seen(store);
    expect(after).not.toEqual(before);
    expect(crashed.points.length).toBeGreaterThan(0);
    const states = new Set<string>();
    for (const { step, store: left } of crashed.points) {
      points += 1;
      const now = await seen(left);
      const state = [before, after].findIndex((each) => JSON.stringify(each) === JSON.stringify(now));
      // An image update is published before the snapshot: containerd asks again, and finds it done.
      if (state < 0 && name.includes('newer image')) expect(Object.keys(now)).toEqual(Object.keys(before));
      else expect({ step, state }).not.toEqual({ step, state: -1 });
      states.add(String(state));
      const store = new Store(fromText(left));
      expect(checkGraph(await store.read())).toEqual([]);
      const { findings } = await verify(store, { nodes: [], quick: false, repair: false, signal });
      expect({ step, findings }).toEqual({ step, findings: [] });
      expect((await store.collectGarbage(false)).found).toEqual([]);
    }
    expect(states.size).toBeGreaterThan(1);
    // Whatever was done: the call can be made again, or says that it was made.
    const retried = new Store(fromText(crashed.points[0]!.store));
    await call(retried);
    crashed.remove();
  });
});
