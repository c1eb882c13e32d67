import { spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { World, buildTiny, mayMount, start } from '../support/lamina.js';

describe.skipIf(!mayMount)('base import of a stream', () => {
  let world: World;
  let tar: string;
  beforeAll(async () => {
    world = new World('import-stream');
    tar = buildTiny(world.path('tiny.tar'));
    await world.run('init');
    await world.run('base', 'import', 'file', tar);
  });
  afterAll(() => {
    world.remove();
  });

  const headOf = async (name: string) =>
    (await world.json<{ bases: { name: string; head: string }[] }>('base', 'list')).bases.find(
      (base) => base.name === name,
    );
  const indexOf = async (name: string) => readFileSync(`${world.store}/nodes/${(await headOf(name))?.head}/index`);
  const piped = async (name: string, bytes: Buffer) => {
    const { child, finished } = world.start(['base', 'import', name, '-'], { input: undefined });
    child.stdin?.end(bytes);
    return finished;
  };

  it('makes the base of the tar that comes by a socket or a pipe, packed or not', async () => {
    const bytes = readFileSync(tar);
    // Node gives its children sockets where others give pipes.
    expect(await piped('socket', bytes)).toMatchObject({ code: 0, stderr: '' });
    const byCat = ['-c', 'cat "$1" | "$2" "$3" --store "$4" base import pipe -', 'sh'];
    const done = await start('sh', [...byCat, tar, process.execPath, world.cli, world.store]).finished;
    expect(done).toMatchObject({ code: 0, stderr: '' });
    expect(await piped('packed', gzipSync(bytes))).toMatchObject({ code: 0, stderr: '' });
    const look = async (name: string) => {
      await world.run('create', `c-${name}`, '--base', name);
      return world.look(`c-${name}`);
    };
    const file = await look('file');
    expect(await look('socket')).toEqual(file);
    expect(await look('pipe')).toEqual(file);
    expect(await look('packed')).toEqual(file);
    expect((await indexOf('pipe')).length).toBeGreaterThan(0);
  });

  it('reads a file that is standard input, and a FIFO', async () => {
    const redirected = await start(
      'sh',
      ['-c', `exec "$0" "$@" <${tar}`, process.execPath, world.cli].concat(
        '--store',
        world.store,
        'base',
        'import',
        'redirected',
        '-',
      ),
    ).finished;
    expect(redirected).toMatchObject({ code: 0, stderr: '' });
    const fifo = world.path('fifo');
    spawnSync('mkfifo', [fifo]);
    const writer = spawn('sh', ['-c', `cat ${tar} >${fifo}`], { stdio: 'ignore' });
    const ended = new Promise((resolve) => writer.once('exit', resolve));
    expect(await world.attempt('base', 'import', 'fifo', fifo)).toMatchObject({ code: 0, stderr: '' });
    await ended;
  });

  it('leaves nothing where the stream breaks off, or is none', async () => {
    const before = world.storeContent();
    const broken = await piped('broken', readFileSync(tar).subarray(0, 3000));
    expect([broken.code, broken.stderr]).toEqual([1, expect.stringMatching(/breaks off[^]*standard input/)]);
    expect((await piped('none', Buffer.alloc(0))).code).not.toBe(0);
    const device = await world.attempt('base', 'import', 'device', '/dev/null');
    expect([device.code, device.stderr]).toEqual([
      2,
      expect.stringMatching(/neither a directory nor a file, nor a pipe/),
    ]);
    expect(world.storeContent()).toEqual(before);
  });
});
