import { cpSync, existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { LaminaError } from '../../../src/base/errors.js';
import { promoteUpdate, pruneChannel, refreshChannel, rotateKey } from '../../../src/channel/index.js';
import { onDurableStep } from '../../../src/platform/durable.js';
import { ChannelWorld } from '../../support/channels.js';

let world: ChannelWorld;

beforeEach(async () => {
  // In memory: there are many steps, and each waits for the disk.
  world = new ChannelWorld('/dev/shm');
  await world.make();
  await world.publish('one', { percent: 10 });
});

afterEach(() => {
  onDurableStep(undefined);
  world.remove();
});

class Killed extends Error {}

/** Does something that is killed at a durable step: no later one happens. Returns whether it got there. */
async function killedAt(step: number, work: () => Promise<unknown>): Promise<boolean> {
  let at = 0;
  onDurableStep(() => {
    if (at++ >= step) throw new Killed();
  });
  try {
    await work();
  } catch (error) {
    if (!isKilled(error)) throw error;
  } finally {
    onDurableStep(undefined);
  }
  return at > step;
}

function isKilled(error: unknown): boolean {
  if (error instanceof AggregateError) return error.errors.some(isKilled);
  return error instanceof Killed || (error instanceof Error && isKilled(error.cause));
}

/**
 * Between a new root and the timestamp that goes with it: machines refuse what they see, and keep what they have, until
 * the next command has finished the change.
 */
const between = 'CHANNEL_UNTRUSTED';

/** What a new machine, and one that knows the state before, see. */
async function seen(): Promise<unknown[]> {
  const states = [];
  for (const name of ['fresh', 'known']) {
    const client = await world.client(world.public, name);
    try {
      states.push((await client.refresh()).state.updates.map((update) => `${update.name} ${update.percent}`));
    } catch (error) {
      states.push((error as LaminaError).code);
    }
    if (name === 'fresh') rmSync(world.path('fresh'), { recursive: true });
  }
  return states;
}

const changes = {
  publish: { work: () => world.publish('two'), after: ['one 10', 'two 100'] },
  promote: { work: () => promoteUpdate({ ...world.signing, update: 'one' }), after: ['one 100'] },
  'rotate-key of snapshot': {
    work: () => rotateKey({ ...world.signing, role: 'snapshot', newPassphrase: undefined }),
    after: ['one 10'],
  },
  prune: {
    work: () =>
      pruneChannel({
        directory: world.channel,
        at: undefined,
        dryRun: false,
        now: new Date(Date.now() + 9 * 24 * 3_600_000),
      }),
    after: ['one 10'],
  },
  refresh: { work: () => refreshChannel(world.signing), after: ['one 10'] },
} as const;

describe('a publisher that is killed at any durable step', { timeout: 120_000 }, () => {
  it.each(Object.entries(changes))('of %s leaves the old state or the new one, and goes on', async (_name, change) => {
    const before = ['one 10'];
    const start = world.path('start');
    await (await world.client(world.public, 'known')).refresh();
    for (const name of ['channel', 'known']) cpSync(world.path(name), join(start, name), { recursive: true });
    let steps = 0;
    for (let isKilledThere = true; isKilledThere; steps++) {
      for (const name of ['channel', 'known']) {
        rmSync(world.path(name), { recursive: true });
        cpSync(join(start, name), world.path(name), { recursive: true });
      }
      isKilledThere = await killedAt(steps, change.work);
      for (const state of await seen()) expect([before, change.after, between]).toContainEqual(state);
      // Any next command finishes what was begun, and everything can still be signed.
      await refreshChannel(world.signing);
      const [fresh, known] = await seen();
      expect([before, change.after]).toContainEqual(fresh);
      expect(known).toEqual(fresh);
      await promoteUpdate({ ...world.signing, update: 'one', percent: 55 });
      for (const state of await seen()) expect(state).toContain('one 55');
      expect(existsSync(world.path('channel', 'pending'))).toBe(false);
    }
    expect(steps).toBeGreaterThan(5);
  });
});

describe('a follower that is killed at any durable step', { timeout: 120_000 }, () => {
  it('trusts no less than before, and reads on', async () => {
    await (await world.client(world.public, 'known')).refresh();
    cpSync(world.path('known'), world.path('start'), { recursive: true });
    await rotateKey({ ...world.signing, role: 'timestamp', newPassphrase: undefined });
    await rotateKey({ ...world.signing, role: 'root', newPassphrase: undefined });
    await world.publish('two');
    let steps = 0;
    for (let isKilledThere = true; isKilledThere; steps++) {
      rmSync(world.path('known'), { recursive: true });
      cpSync(world.path('start'), world.path('known'), { recursive: true });
      isKilledThere = await killedAt(steps, async () => (await world.client(world.public, 'known')).refresh());
      const { state } = await (await world.client(world.public, 'known')).refresh();
      expect(state.updates.map(({ name }) => name)).toEqual(['one', 'two']);
      expect(readdirSync(world.path('known')).filter((name) => name.endsWith('.tmp'))).toEqual([]);
    }
    expect(steps).toBeGreaterThan(10);
  });
});
