import { closeSync, mkdirSync, openSync, readFileSync, readSync, readdirSync, statSync } from 'node:fs';
import { writeFileSync, writeSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fromText } from '../../src/base/bytes.js';
import { setTimesSync } from '../../src/platform/native.js';
import { World, differences, mayMount } from '../support/lamina.js';

interface Report {
  damaged: boolean;
  nodes: number;
  findings: {
    code: string;
    severity: string;
    subject: string;
    path: string | null;
    containers: string[];
    updates: string[];
    repair: string | null;
    repaired: boolean;
  }[];
}

describe.skipIf(!mayMount)('verify', () => {
  let world: World;

  beforeAll(async () => {
    world = new World('verify');
    await world.initWithTiny();
    for (const name of ['web', 'db']) await world.run('create', name, '--base', 'tiny');
    await world.inside('web', 'echo mine >/etc/hostname; mkdir /srv/own; echo own >/srv/own/file');
    const script = world.script('update', 'echo new >/etc/new; echo "$(cat /etc/hostname)" >/etc/served');
    await world.run('update', 'apply', 'tiny', script);
  });
  afterAll(() => {
    world.remove();
  });

  async function verify(...args: string[]): Promise<Report & { code: number | null }> {
    const done = await world.attempt('--json', 'verify', ...args);
    expect(done.stderr).toBe('');
    return { ...(JSON.parse(done.stdout) as Report), code: done.code };
  }
  const nodes = () => readdirSync(join(world.store, 'nodes'));
  const nodeOf = (prefix: string) => nodes().find((id) => id.startsWith(prefix))!;

  /** Flips a bit of a file, and what `work` is done flips it back. */
  async function flipped(file: string, at: number, work: () => Promise<void>): Promise<void> {
    const { atimeNs, mtimeNs } = statSync(file, { bigint: true });
    const flip = () => {
      const descriptor = openSync(file, 'r+');
      const byte = Buffer.alloc(1);
      readSync(descriptor, byte, 0, 1, at);
      writeSync(descriptor, Buffer.from([byte.readUInt8() ^ 0x10]), 0, 1, at);
      closeSync(descriptor);
      setTimesSync(fromText(file), { atimeNs, mtimeNs });
    };
    flip();
    try {
      await work();
    } finally {
      flip();
    }
  }

  it('finds nothing wrong in a store that is well', async () => {
    const before = world.storeContent();
    expect(await verify('--repair')).toMatchObject({ code: 0, damaged: false, findings: [] });
    expect([...differences(before, world.storeContent())]).toEqual([]);
  });

  it('finds a flipped bit in a file of any sealed node, and names whom it concerns', async () => {
    const containers = { b: ['db', 'web'], d: ['db', 'web'], e: ['web'], s: ['web'] };
    const files = { b: 'usr/bin/app', d: 'etc/new', e: 'etc/served', s: 'srv/own/file' };
    for (const kind of ['b', 'd', 'e', 's'] as const) {
      const path = files[kind];
      const id = nodes().find((each) => each.startsWith(kind) && nodeHolds(each, path))!;
      await flipped(join(world.store, 'nodes', id, 'tree', path), 1, async () => {
        expect(await verify(kind === 's' ? 'web' : id), path).toMatchObject({
          code: 5,
          findings: [
            {
              code: 'CONTENT',
              subject: id,
              path: `/${path}`,
              containers: containers[kind],
              repair: null,
              repaired: false,
            },
          ],
        });
      });
    }
    const [delta] = (await flippedIndex()).findings;
    expect(delta).toMatchObject({ code: 'INDEX_DAMAGED', updates: ['update'], containers: ['db', 'web'] });
  });
  const nodeHolds = (id: string, path: string) =>
    statSync(join(world.store, 'nodes', id, 'index'), { throwIfNoEntry: false }) !== undefined &&
    statSync(join(world.store, 'nodes', id, 'tree', path), { throwIfNoEntry: false }) !== undefined;

  async function flippedIndex(): Promise<Report> {
    let report: Report | undefined;
    const index = join(world.store, 'nodes', nodeOf('d-'), 'index');
    await flipped(index, 200, async () => {
      report = await verify('--quick');
    });
    return report!;
  }

  it('mends an index that the tree proves, and no other', async () => {
    const id = nodeOf('d-');
    const index = join(world.store, 'nodes', id, 'index');
    const good = readFileSync(index);
    const bad = Buffer.from(good);
    bad[150] = bad.readUInt8(150) ^ 1;
    writeFileSync(index, bad);
    const file = join(world.store, 'nodes', id, 'tree/etc/new');
    await flipped(file, 0, async () => {
      expect(await verify('--repair')).toMatchObject({ code: 5, findings: [{ code: 'INDEX_DAMAGED', repair: null }] });
      expect(readFileSync(index).equals(bad)).toBe(true);
    });
    expect(await verify('--repair')).toMatchObject({ code: 0, findings: [{ code: 'INDEX_DAMAGED', repaired: true }] });
    expect(readFileSync(index).equals(good)).toBe(true);
  });

  it('takes away what crashes left, and leaves what is not known', async () => {
    const before = world.storeContent();
    const hex = '0123456789abcdef';
    mkdirSync(join(world.store, 'nodes', `s-${hex}`, 'tree'), { recursive: true });
    mkdirSync(join(world.store, 'transactions', `t-${hex}`));
    mkdirSync(join(world.store, 'asides', `a-${hex}`, 'tree'), { recursive: true });
    mkdirSync(join(world.store, 'mounts', `m-${hex}`));
    writeFileSync(join(world.store, '.manifest.json.01234567.tmp'), '{');
    const server = createServer().listen(join(world.store, 'mounts/web.sock'));
    await new Promise((resolve) => server.on('listening', resolve));
    const quiet = await verify();
    expect(quiet.findings.map(({ subject }) => subject)).not.toContain('mounts/web.sock');
    await new Promise((resolve) => server.close(resolve));
    expect(quiet).toMatchObject({ code: 0, damaged: false });
    expect(quiet.findings.map(({ code }) => code).sort()).toEqual([
      'DEAD_RUN',
      'DEAD_TRANSACTION',
      'TEMPORARY',
      'UNFINISHED_DISPLACED',
      'UNKNOWN_NODE',
    ]);
    writeFileSync(join(world.store, 'notes'), 'mine');
    const mended = await verify('--repair');
    expect(mended.findings.filter(({ repaired }) => !repaired)).toMatchObject([{ code: 'STRANGER', subject: 'notes' }]);
    expect([...differences(before, world.storeContent()).keys()]).toEqual(['/notes']);
  });

  it('reports a manifest that contradicts itself', async () => {
    const file = join(world.store, 'manifest.json');
    const good = readFileSync(file);
    const manifest = JSON.parse(good.toString()) as { containers: Record<string, { layer: string }> };
    manifest.containers['web']!.layer = nodeOf('b-');
    writeFileSync(file, JSON.stringify(manifest));
    const report = await verify('--repair');
    expect(report).toMatchObject({ code: 5, damaged: true });
    expect(report.findings.map(({ code, subject }) => `${code} ${subject}`)).toContain('TOP_LAYER container web');
    writeFileSync(file, '{');
    expect(await verify()).toMatchObject({
      code: 5,
      findings: [{ code: 'MANIFEST_DAMAGED', subject: 'manifest.json' }],
    });
    writeFileSync(file, good);
    expect(await verify('--quick')).toMatchObject({ code: 0 });
    expect((await world.attempt('verify', 'nobody')).code).toBe(3);
  });
});
