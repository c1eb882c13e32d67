import { spawnSync } from 'node:child_process';
import { mkdirSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { fromText } from '../../src/base/bytes.js';
import { onDurableStep } from '../../src/platform/durable.js';
import { Store } from '../../src/store/index.js';
import { checkout, isRoot } from '../support/lamina.js';
import { commands } from './commands.js';
import { copyStore } from './copy.js';
import { stateOf } from './state.js';
import { crashWorld } from './world.js';

/** The step of each at which all containers that there were are staged, and nothing is published. */
const lastStaged = /\/update\/report\.json$/;

describe.skipIf(!isRoot)('a container that is created between the plan of an update and its publish', () => {
  let count = 0;
  const world = crashWorld(() => `containers that were created meanwhile: ${String(count)}`);

  it.each([
    ['update apply', '/etc/second'],
    ['update apply of a layer', '/etc/name'],
    ['update commit', '/etc/by-hand'],
  ])('is taken along by %s', async (name, path) => {
    const command = commands.find((each) => each.name === name)!;
    const store = world.path('work', name.replaceAll(' ', '-'));
    mkdirSync(world.path('work'), { recursive: true });
    copyStore(world.sample, store);
    await command.prepare?.(world, store);
    let created: string | undefined;
    onDurableStep((step, at) => {
      if (created !== undefined || step !== 'stage' || !lastStaged.test(at)) return;
      const args = [join(checkout, 'dist/lamina.js'), '--store', store, 'create', 'late', '--base', 'tiny'];
      created = spawnSync(process.execPath, args, { encoding: 'utf8' }).stderr;
    });
    await world.lamina(store, ...command.args(world));
    onDurableStep(undefined);
    expect(created).toBe('');
    count += 1;

    const { bases, containers, updates } = await new Store(fromText(store)).read();
    expect(containers['late']?.layer).toBe(bases['tiny']?.head);
    const effects = Object.values(updates).find(({ layer }) => layer === bases['tiny']?.head)?.effects;
    expect(effects?.map(({ container }) => container).sort()).toEqual(['db', 'late', 'web']);
    expect((await stateOf(world, store)).roots.get('late')?.has(path)).toBe(true);
  });
});

describe.skipIf(!isRoot)('while a root is taken over', () => {
  const world = crashWorld(() => 'took over roots while something changed');
  const command = commands.find((each) => each.name === 'create from a directory')!;

  /** Does something when the root was compared with the base, and the first file is about to be copied. */
  async function takeOver(name: string, meanwhile: (root: string, store: string) => void) {
    const store = world.path('work', name);
    mkdirSync(world.path('work'), { recursive: true });
    copyStore(world.sample, store);
    const args = command.args(world);
    let done = false;
    onDurableStep((step, at) => {
      if (done || step !== 'stage' || !at.endsWith('etc/own')) return;
      done = true;
      meanwhile(args.at(-1)!, store);
    });
    const said: string[] = [];
    const { code } = await world.attempt(store, args, (text) => said.push(text));
    onDurableStep(undefined);
    expect(done).toBe(true);
    return { code, said: said.join(''), store };
  }

  it('the base is updated: the root is compared with its new layer', async () => {
    const script = world.script('meanwhile', 'echo 2 >/etc/second');
    const { code, said, store } = await takeOver('updated', (_, at) => {
      const args = [join(checkout, 'dist/lamina.js'), '--store', at, 'update', 'apply', 'tiny', script];
      expect(spawnSync(process.execPath, args, { encoding: 'utf8' }).stderr).toBe('');
    });
    expect([code, said]).toEqual([0, expect.stringContaining('took over')]);
    const { bases, containers } = await new Store(fromText(store)).read();
    expect(containers['new']?.layer).toBe(bases['tiny']?.head);
    const root = (await stateOf(world, store)).roots.get('new');
    expect([root?.has('/etc/own'), root?.has('/etc/second'), root?.has('/etc/name')]).toEqual([true, false, false]);
  });

  it('a file of it gets shorter: it is refused', async () => {
    const { code, said, store } = await takeOver('shorter', (root) => {
      truncateSync(join(root, 'etc/own'), 1);
    });
    expect([code, said]).toEqual([4, expect.stringMatching(/changed while it was read: \/etc\/own/)]);
    expect((await new Store(fromText(store)).read()).containers['new']).toBeUndefined();
  });
});
