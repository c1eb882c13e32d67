import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { fromText } from '../../src/base/bytes.js';
import { onDurableStep } from '../../src/platform/durable.js';
import { Store } from '../../src/store/index.js';
import { isRoot } from '../support/lamina.js';
import { differences } from '../support/tree.js';
import { commands } from './commands.js';
import { CrashPoints, copyStore } from './copy.js';
import { stateOf } from './state.js';
import { crashWorld } from './world.js';

/** Of so many steps one is looked at; `LAMINA_ALL_POINTS=1`: each. */
const everySo = process.env['LAMINA_ALL_POINTS'] === undefined ? 4 : 1;

describe.skipIf(!isRoot)('the commit of a manual update', () => {
  let count = 0;
  const world = crashWorld(() => `manual commits that were stopped: ${String(count)}`);
  const command = commands.find(({ name }) => name === 'update commit')!;

  async function begun(name: string): Promise<{ store: string; file: string }> {
    const store = world.path('work', name);
    mkdirSync(world.path('work'), { recursive: true });
    copyStore(world.sample, store);
    await command.prepare?.(world, store);
    return { store, file: join(world.mountpoint('commit'), 'etc/by-hand') };
  }

  const committed = async (store: string) =>
    Object.values((await new Store(fromText(store)).read()).updates).some(({ name }) => name === 'manual');

  it('that is killed leaves the work, which recover mounts again and which comes to the same', async () => {
    const { store, file } = await begun('killed');
    const crashed = new CrashPoints(store, `${store}.points`, () => existsSync(store));
    onDurableStep(crashed.hook);
    await world.lamina(store, ...command.args(world));
    onDurableStep(undefined);
    const { roots } = await stateOf(world, store);
    let published = 0;
    for (const point of crashed.points.filter((_, number) => number % everySo === 0)) {
      count += 1;
      await world.lamina(point.store, 'recover');
      if (await committed(point.store)) published += 1;
      else {
        expect(readFileSync(file, 'utf8'), point.step).toBe('x');
        await world.lamina(point.store, ...command.args(world).concat(...replayOf(point.step)));
      }
      expect(existsSync(file), point.step).toBe(false);
      for (const [name, root] of (await stateOf(world, point.store)).roots)
        expect([...differences(root, roots.get(name)!)], `${point.step}: ${name}`).toEqual([]);
    }
    expect(published).toBeLessThan(count);
    crashed.remove();
  });

  it('that is interrupted leaves it mounted, and it can be changed and committed', async () => {
    for (const number of [0, 4, 7]) {
      const { store, file } = await begun(`interrupted-${String(number)}`);
      let step = 0;
      onDurableStep(() => {
        if (step++ === number) throw new Error('stopped');
      });
      const { code } = await world.attempt(store, command.args(world));
      onDurableStep(undefined);
      expect(code).toBe(1);
      expect(readFileSync(file, 'utf8')).toBe('x');
      await world.lamina(store, ...command.args(world));
      expect(await committed(store)).toBe(true);
      expect(existsSync(file)).toBe(false);
    }
  });
});

/** In a copy nobody has asked the driver to end: until the commit has, its record counts as torn. */
const replayOf = (step: string) => (/committing|^sync-directory t-/.test(step) ? ['--no-replay'] : []);
