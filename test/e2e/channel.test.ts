import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { ChannelClient } from '../../src/channel/index.js';
import { hasAll } from '../support/exports.js';
import { World, differences, isRoot } from '../support/lamina.js';
import { startNginx } from '../support/nginx.js';

interface Update {
  readonly name: string;
  readonly percent: number;
  readonly package: { readonly sha256: string; readonly path: string; readonly bytes: number };
}

const world = new World('channel');
const channel = world.path('channel');
const published = join(channel, 'public');
const running: (() => unknown)[] = [];

/** A package in a directory. */
function writePackage(name: string, bytes = 0): string {
  const directory = world.makeDirectory('packages', name);
  writeFileSync(join(directory, 'update.json'), JSON.stringify({ version: 1, name, base: 'tiny', procedure: 'run' }));
  writeFileSync(join(directory, 'run'), `#!/bin/sh\necho ${name} >/etc/${name}\n${'#'.repeat(bytes)}\n`, {
    mode: 0o755,
  });
  return directory;
}

async function publish(name: string, bytes: number, ...options: string[]): Promise<Update> {
  const file = world.path(`${name}.tar`);
  await world.run('package', 'build', writePackage(name, bytes), file);
  return world.json<Update>('channel', 'publish', channel, file, '--base', 'tiny', ...options);
}

async function follow(url: string, name: string): Promise<ChannelClient> {
  const root = readFileSync(join(published, 'metadata/1.root.json'));
  return ChannelClient.open({ directory: world.path(name), url, root });
}

beforeAll(async () => {
  await world.run('channel', 'init', channel, '--no-passphrase');
  await publish('one', 300_000, '--percent', '10');
});

afterEach(() => {
  for (const stop of running.splice(0)) stop();
});

afterAll(() => world.remove());

describe('package build', () => {
  it('makes the same bytes of the same content, whatever its times and its owner’s modes', async () => {
    const directory = writePackage('same');
    mkdirSync(join(directory, 'files'));
    writeFileSync(join(directory, 'files', 'ä'), 'content');
    const first = await world.json<{ sha256: string; file: string }>(
      'package',
      'build',
      directory,
      world.path('a.tar'),
    );
    chmodSync(join(directory, 'files', 'ä'), 0o600);
    writeFileSync(join(directory, 'files', 'ä'), 'content');
    const second = await world.json<{ sha256: string }>('package', 'build', directory, world.path('b.tar'));
    expect(second.sha256).toBe(first.sha256);
    expect(createHash('sha256').update(readFileSync(first.file)).digest('hex')).toBe(first.sha256);
    const again = await world.attempt('package', 'build', directory, world.path('b.tar'));
    expect(again).toMatchObject({ code: 4, stderr: expect.stringContaining('already exists') as string });
  });

  it.each([
    ['a script', () => world.script('plain', 'true'), 'is not the directory of a package'],
    ['nothing', () => world.path('nothing'), 'there is no procedure'],
  ])('refuses %s', async (_what, make, words) => {
    const done = await world.attempt('package', 'build', make(), world.path('none.tar'));
    expect(done.code).toBeGreaterThan(1);
    expect(done.stderr).toContain(words);
    expect(existsSync(world.path('none.tar'))).toBe(false);
  });
});

describe('the keys of a channel', () => {
  it('lie outside of what is served, for their owner only', () => {
    const keys = readdirSync(join(channel, 'keys'));
    expect(keys.map((name) => name.split('-')[0]).sort()).toEqual(
      ['root', 'root', 'root', 'targets', 'snapshot', 'timestamp', 'rollout'].sort(),
    );
    for (const name of keys) expect(statSync(join(channel, 'keys', name)).mode & 0o777).toBe(0o600);
    expect(statSync(join(channel, 'keys')).mode & 0o777).toBe(0o700);
    expect(readdirSync(published).sort()).toEqual(['metadata', 'targets']);
  });

  it('are encrypted with a passphrase, which a file gives', async () => {
    const [right, wrong] = [world.path('right'), world.path('wrong')];
    writeFileSync(right, 'correct horse\n', { mode: 0o644 });
    writeFileSync(wrong, 'battery staple\n', { mode: 0o600 });
    const secret = world.path('secret');
    expect(await world.attempt('channel', 'init', secret, '--passphrase-file', right)).toMatchObject({
      code: 4,
      stderr: expect.stringMatching(
        /others may read the passphrase file .*right: its mode is 644(.|\n)*chmod 600/,
      ) as string,
    });
    expect(existsSync(secret)).toBe(false);
    chmodSync(right, 0o600);
    await world.run('channel', 'init', secret, '--passphrase-file', right);
    const file = world.path('secret.tar');
    await world.run('package', 'build', writePackage('secret'), file);
    const args = ['channel', 'publish', secret, file, '--base', 'tiny'];
    expect(await world.attempt(...args)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--passphrase-file') as string,
    });
    const before = world.snapshotOf(join(secret, 'public'));
    expect(await world.attempt(...args, '--passphrase-file', wrong)).toMatchObject({ code: 4 });
    expect([...differences(before, world.snapshotOf(join(secret, 'public')))]).toEqual([]);
    await world.run(...args, '--passphrase-file', right);
    expect(world.snapshotOf(join(secret, 'public'))).not.toEqual(before);
    // The timer needs no passphrase.
    await world.run('channel', 'refresh', secret);
    await world.run('channel', 'withdraw', secret, 'secret');
    chmodSync(join(secret, 'keys', readdirSync(join(secret, 'keys'))[0] ?? ''), 0o644);
    expect(await world.attempt('channel', 'refresh', secret)).toMatchObject({
      code: 4,
      stderr: expect.stringContaining('others may read the key') as string,
    });
  });

  it('are enough for a timer without those that publish', async () => {
    const away = world.makeDirectory('away');
    const move = (from: string, to: string) => {
      for (const name of readdirSync(from))
        if (/^(root|targets)-/.test(name)) renameSync(join(from, name), join(to, name));
    };
    move(join(channel, 'keys'), away);
    await world.run('channel', 'refresh', channel);
    expect(await world.run('channel', 'promote', channel, 'one', '--percent', '20')).toContain('20 % of all machines');
    const refused = await world.attempt(
      'channel',
      'publish',
      channel,
      world.path('one.tar'),
      '--base',
      'tiny',
      '--name',
      'x',
    );
    expect(refused).toMatchObject({
      code: 4,
      stderr: expect.stringContaining("the role 'targets' needs 1 of its 1 keys") as string,
    });
    await world.run(
      'channel',
      'publish',
      channel,
      world.path('one.tar'),
      '--base',
      'tiny',
      '--name',
      'two',
      '--keys',
      away,
    );
    move(away, join(channel, 'keys'));
  });
});

describe.runIf(hasAll('nginx'))('a channel on nginx', () => {
  it('costs one 304 of under 1 kB while nothing changes', async () => {
    const nginx = await startNginx(world.makeDirectory('nginx'), published);
    running.push(nginx.stop);
    const client = await follow(nginx.url, 'by-nginx');
    const { state } = await client.refresh();
    expect(state.updates[0]).toMatchObject({ name: 'one', base: 'tiny' });
    await client.download(state.updates[0] as never, world.path('by-nginx-packages'));
    nginx.takeLog();
    expect(await client.refresh()).toMatchObject({ changed: false, bytes: 0 });
    const log = await nginx.waitForLog(1);
    expect(log).toHaveLength(1);
    const [, path, status, sent] = /^(\S+) (\d+) (\d+)$/.exec(log[0] ?? '') ?? [];
    expect({ path, status }).toEqual({ path: '/metadata/timestamp.json', status: '304' });
    expect(Number(sent)).toBeLessThan(1000);
  });
});

describe.skipIf(!isRoot)('a disk that gets full while a package is downloaded', () => {
  const disk = world.path('disk');

  beforeAll(() => {
    mkdirSync(disk);
    expect(spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=600k', 'none', disk]).status).toBe(0);
  });
  afterAll(() => {
    spawnSync('umount', [disk]);
  });

  it('is named, and is not kept full by what was received', async () => {
    const client = await follow(published, 'full');
    const [one] = (await client.refresh()).state.updates;
    const fill = join(disk, 'other');
    const download = client.download(one!, join(disk, 'packages'), {
      progress: () => {
        // Others write, too: it fitted when the download began.
        if (!existsSync(fill)) spawnSync('dd', ['if=/dev/zero', `of=${fill}`, 'bs=64k']);
      },
    });
    await expect(download).rejects.toMatchObject({
      code: 'NO_SPACE',
      message: expect.stringContaining(disk) as string,
    });
    expect(readdirSync(join(disk, 'packages'))).toEqual([]);
    // It does not begin where it cannot end.
    await expect(client.download(one!, join(disk, 'packages'))).rejects.toMatchObject({ code: 'NO_SPACE' });
    rmSync(fill);
    await client.download(one!, join(disk, 'packages'));
  });
});

describe('a channel on a USB stick', () => {
  it('is pushed there and read from there', async () => {
    const stick = world.path('stick', 'channel');
    await world.run('channel', 'push', channel, stick);
    const client = await follow(stick, 'by-stick');
    const { state } = await client.refresh();
    await client.download(state.updates[0] as never, world.path('by-stick-packages'));
    expect(await world.run('channel', 'push', channel, stick)).toContain('0 files, 0 B');
    expect(await world.attempt('channel', 'push', channel, 'http://127.0.0.1:1/x')).toMatchObject({ code: 2 });
  });
});
