import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fillChannel } from '../support/fleet-world.js';
import { World, mayMount } from '../support/lamina.js';

interface Line {
  readonly type: string;
  readonly command?: string;
  readonly process?: number;
  readonly unit?: string;
  readonly task?: string;
  readonly total: number;
  readonly done: number;
  readonly bytes: number;
  readonly running?: readonly unknown[];
}

/** Runs a command to its end, which is a good one. */
async function reported(world: World, words: readonly string[]): Promise<{ process: number; lines: Line[] }> {
  const all = [world.cli, '--store', world.store, '--json', '--progress-fd=3', ...words];
  const child = spawn(process.execPath, all, { stdio: ['ignore', 'ignore', 'inherit', 'pipe'] });
  let text = '';
  child.stdio[3]!.on('data', (chunk: Buffer) => (text += chunk.toString()));
  expect(await new Promise((resolve) => child.once('close', resolve))).toBe(0);
  const lines = text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);
  expect(lines[0]).toMatchObject({ type: 'start', version: 1, process: child.pid });
  expect(lines.at(-1)).toEqual({ type: 'end', exitCode: 0 });
  return { process: child.pid!, lines };
}

describe.skipIf(!mayMount)('--progress-fd', () => {
  let world: World;

  beforeAll(async () => {
    world = new World('progress-fd');
    await world.initWithTiny();
    for (const name of ['web', 'db']) await world.run('create', name, '--base', 'tiny');
  });
  afterAll(() => {
    expect(world.mounts()).toEqual([]);
    world.remove();
  });

  const apply = async (name: string) =>
    world.run('update', 'apply', 'tiny', world.script(name, `echo ${name} >/etc/${name}`));

  it('is a descriptor that gets the progress of an update', async () => {
    const { lines } = await reported(world, ['update', 'apply', 'tiny', world.script('tried', 'echo >/etc/tried')]);
    expect(lines[0]).toMatchObject({ command: 'update apply' });
    expect(lines.some(({ type, total, done }) => type === 'progress' && total === 2 && done === 2)).toBe(true);
  });

  it('is refused where it is none', async () => {
    for (const wrong of ['2', '77', 'x', '-1'])
      expect((await world.attempt('status', `--progress-fd=${wrong}`)).code).toBe(2);
  });

  /** Displaces a directory of two files in a container. @returns the id */
  async function displace(name: string): Promise<string> {
    await world.run('update', 'apply', 'tiny', world.script(name, `mkdir /srv/${name}; echo 1 >/srv/${name}/file`));
    await world.inside('db', `echo mine >/srv/${name}/file; echo more >/srv/${name}/more`);
    await world.run('rollback', name);
    const { displaced } = await world.json<{ displaced: { id: string }[] }>('displaced', 'list');
    return displaced.at(-1)!.id;
  }

  it.each<[string, string, () => Promise<readonly string[]>]>([
    ['rollback', 'containers', async () => (await apply('counted'), ['rollback', 'counted'])],
    ['merge', 'folds', async () => (await apply('folded'), ['merge', 'tiny', '--yes'])],
    ['verify', 'nodes', async () => Promise.resolve(['verify'])],
    ['gc', 'things', async () => (mkdirSync(join(world.store, 'nodes/s-00000000000000ff')), Promise.resolve(['gc']))],
    ['remove', 'nodes', async () => (await world.run('create', 'short', '--base', 'tiny'), ['remove', 'short'])],
    [
      'base remove',
      'nodes',
      async () => (await world.run('base', 'import', 'unused', world.path('tiny')), ['base', 'remove', 'unused']),
    ],
    [
      'update commit',
      'containers',
      async () => {
        const directory = world.makeDirectory('by-hand');
        await world.run('update', 'begin', 'tiny', directory, '--name', 'by-hand');
        writeFileSync(join(directory, 'etc/by-hand'), '');
        return ['update', 'commit', 'by-hand'];
      },
    ],
    ['displaced restore', 'entries', async () => ['displaced', 'restore', await displace('restored')]],
    [
      'displaced restore --to',
      'entries',
      async () => ['displaced', 'restore', await displace('copied'), '--to', world.path('copied-out')],
    ],
    ['displaced drop', 'things', async () => ['displaced', 'drop', await displace('dropped')]],
  ])('gets each step of %s', async (_, unit, prepare) => {
    const { lines } = await reported(world, await prepare());
    const steps = lines.filter(({ type }) => type === 'progress');
    expect(steps.at(-1)).toMatchObject({ unit, running: [] });
    expect(steps.at(-1)!.total).toBeGreaterThan(0);
    expect(steps.at(-1)!.done).toBe(steps.at(-1)!.total);
  });
});

describe('--progress-fd of channel', () => {
  let world: World;
  let channel: string;

  beforeAll(async () => {
    world = new World('progress-fd-channel');
    ({ channel } = await fillChannel(world));
  });
  afterAll(() => {
    world.remove();
  });

  it('publish and push, and of package build, gets the bytes that are copied', async () => {
    const [file, to] = [world.path('first-fix.tar'), world.path('pushed')];
    const publish = ['channel', 'publish', channel, file, '--base', 'tiny', '--name', 'once-more'];
    const built = ['package', 'build', world.path('package-first-fix'), world.path('again.tar')];
    for (const [task, words] of [
      ['packing', built],
      ['copying', publish],
      ['sending', ['channel', 'push', channel, to]],
      // All is there already.
      ['sending', ['channel', 'push', channel, to]],
    ] as const) {
      const bytes = (await reported(world, words)).lines.filter(({ type }) => type === 'bytes').at(-1)!;
      expect(bytes).toMatchObject({ task });
      expect(bytes.total).toBeGreaterThan(0);
      expect(bytes.bytes).toBe(bytes.total);
    }
  });

  it('status, machines and prune gets what is read and removed', async () => {
    writeFileSync(join(channel, 'public/targets/.package.part'), 'left');
    for (const [unit, total, words] of [
      ['reports', 3, ['channel', 'status', channel]],
      ['reports', 3, ['channel', 'machines', channel]],
      // And the report of a machine that is not enrolled, which is old.
      ['files', 2, ['channel', 'prune', channel]],
    ] as const) {
      const { lines } = await reported(world, words);
      const last = lines.filter(({ type }) => type === 'progress').at(-1);
      expect(last).toMatchObject({ unit, total, done: total });
    }
  });
});
