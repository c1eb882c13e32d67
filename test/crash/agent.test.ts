import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fromText } from '../../src/base/bytes.js';
import { publishUpdate, withdrawUpdate } from '../../src/channel/index.js';
import { baseOf, layerChain } from '../../src/manifest/index.js';
import { onDurableStep } from '../../src/platform/durable.js';
import { Store } from '../../src/store/index.js';
import { verify } from '../../src/verify/index.js';
import { ChannelWorld } from '../support/channels.js';
import { isRoot } from '../support/lamina.js';
import { writeTar } from '../support/tar-writer.js';
import { CrashPoints, copyStore } from './copy.js';
import { crashWorld } from './world.js';

const signal = new AbortController().signal;
/** `LAMINA_EVERY_STEP=1`: each point and not one of so many. */
const everySo = process.env['LAMINA_EVERY_STEP'] === undefined ? 4 : 1;

/** An agent that is killed at a durable step does what is left to do at its next start, and nothing twice. */
describe.skipIf(!isRoot)('an agent that is killed', () => {
  const counts = { points: 0 };
  const world = crashWorld(() => `crash points of an agent: ${String(counts.points)}`);
  let channel: ChannelWorld;

  async function publish(name: string): Promise<void> {
    const file = channel.path(`${name}.tar`);
    const description = { version: 1, name, base: 'tiny', procedure: 'run' };
    const run = `#!/bin/sh\nset -e\necho ${name} >>/etc/order\n`;
    const members = [{ name: 'update.json', content: JSON.stringify(description) }];
    writeFileSync(file, writeTar([...members, { name: 'run', mode: 0o755, content: run }]));
    await publishUpdate({ ...channel.signing, package: fromText(file), base: 'tiny' });
  }

  beforeAll(async () => {
    channel = new ChannelWorld();
    await channel.make();
    writeFileSync(channel.path('root.json'), channel.root);
    await publish('one');
  });
  afterAll(() => {
    channel.remove();
  });

  const once = (store: string) => world.lamina(store, 'agent', '--once', '--patience', '0');

  /** What the updates of the channel have left in the base and the containers, and what is said of them. */
  async function state(directory: string) {
    const store = new Store(fromText(directory));
    // A transaction that was published before the kill is removed by the next change.
    await store.recover();
    const manifest = await store.read();
    const layers = layerChain(manifest, baseOf(manifest, 'tiny').head);
    const order = layers.map((id) => join(directory, 'nodes', id, 'tree/etc/order')).find((file) => existsSync(file));
    const outcomes = JSON.parse(readFileSync(join(directory, 'agent/bases/tiny/outcomes.json'), 'utf8')) as {
      outcomes: { name: string; outcome: string }[];
      undoing: object | null;
    };
    const { findings } = await verify(store, { nodes: [], quick: true, repair: false, signal });
    return {
      order: order === undefined ? '' : readFileSync(order, 'utf8'),
      updates: Object.values(manifest.updates)
        .map(({ name }) => name)
        .sort(),
      containers: Object.values(manifest.containers).map(({ layer }) => layers.indexOf(layer)),
      outcomes: outcomes.outcomes.map(({ name, outcome }) => `${name} ${outcome}`),
      undoing: outcomes.undoing,
      findings: findings.map(({ code, subject }) => `${code} ${subject}`),
    };
  }

  /** Kills an agent at each step of one run, and starts it again. */
  async function kill(name: string, from: string): Promise<void> {
    const store = world.path('work', name);
    mkdirSync(world.path('work'), { recursive: true });
    copyStore(from, store);
    const crashed = new CrashPoints(store, `${store}.points`, () => existsSync(store));
    onDurableStep(crashed.hook);
    await once(store);
    onDurableStep(undefined);
    const expected = await state(store);
    expect(expected).toMatchObject({ undoing: null, findings: [], containers: [0, 0] });
    const wrong: object[] = [];
    const points = crashed.points.filter((_, number) => number % everySo === 0);
    for (const { step, store: left } of points) {
      counts.points += 1;
      await once(left);
      const now = await state(left).catch((error: unknown) => ({ error: String(error) }));
      if (JSON.stringify(now) !== JSON.stringify(expected)) wrong.push({ step, now, expected });
    }
    expect(points.length).toBeGreaterThan(5);
    crashed.remove();
    expect(wrong.slice(0, 3)).toEqual([]);
  }

  it('applies what is left, once', { timeout: 300_000 }, async () => {
    const store = world.path('following');
    copyStore(world.sample, store);
    await world.lamina(store, 'follow', channel.public, '--base', 'tiny', '--root', channel.path('root.json'));
    await kill('apply', store);
    await once(store);
    expect(await state(store)).toMatchObject({ order: 'one\n', updates: ['first', 'one'], outcomes: ['one applied'] });
  });

  it('rolls back what is left, once, and applies again what stood on it', { timeout: 300_000 }, async () => {
    const store = world.path('following');
    await publish('two');
    await once(store);
    await withdrawUpdate({ ...channel.signing, update: 'one', withNewer: true });
    await kill('undo', store);
    await once(store);
    expect(await state(store)).toMatchObject({ order: 'two\n', outcomes: ['one rolled-back', 'two applied'] });
  });
});
