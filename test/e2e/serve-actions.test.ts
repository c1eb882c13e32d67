import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { World, mayMount } from '../support/lamina.js';
import { Server } from '../support/serve-client.js';

/** What the page and programs have a server do, on real mounts, and how far it is. */
describe.skipIf(!mayMount)('by lamina serve, a program', () => {
  let world: World;
  let server: Server;

  beforeAll(async () => {
    world = new World('serve-actions');
    await world.initWithTiny();
    for (const name of ['web', 'db']) await world.run('create', name, '--base', 'tiny');
    await world.run('update', 'apply', 'tiny', world.script('first', 'echo first >/etc/first'));
    server = await Server.start(world, ['--listen', `unix:${world.path('serve.sock')}`, '--allow-changes']);
  });
  afterAll(async () => {
    await server.end();
    expect(world.mounts()).toEqual([]);
    world.remove();
  });

  it('mounts and unmounts, imports, and applies again what was rolled back', async () => {
    const directory = world.makeDirectory('by-api');
    const mounted = await server.done('/containers/db/mount', { directory, readOnly: true });
    expect(mounted).toMatchObject({ state: 'done', result: { name: 'db', mountpoint: directory } });
    expect(existsSync(join(directory, 'etc/app.conf'))).toBe(true);
    expect(await server.done('/containers/db/umount', {})).toMatchObject({ state: 'done' });
    expect(world.mounts()).toEqual([]);
    const relative = await server.json('/containers/db/mount', { method: 'POST', body: { directory: 'mnt' } });
    expect(relative).toMatchObject({ error: { code: 'USAGE' } });

    expect(await server.done('/bases', { name: 'other', source: world.path('tiny') })).toMatchObject({
      state: 'done',
      result: { name: 'other' },
    });
    expect(await server.json('/bases', { method: 'POST', body: { name: 'x', source: 'tiny' } })).toMatchObject({
      error: { code: 'USAGE' },
    });

    await server.done('/updates', { base: 'other', procedure: world.script('again', 'echo said; echo >/etc/again') });
    await server.done('/updates/again/rollback', {});
    expect(await server.done('/updates/again/redo', { dryRun: true })).toMatchObject({ result: { update: null } });
    expect(await server.done('/updates/again/redo', {})).toMatchObject({ result: { update: { name: 'again' } } });
    expect(await server.json('/updates/again/output')).toMatchObject({ output: 'said\n', bytes: 5, ran: true });
    expect(await server.json('/updates/again/output?last=3')).toMatchObject({ output: 'id\n', bytes: 5 });
    expect(await server.json('/updates/first/output?container=nobody')).toMatchObject({ error: { code: 'NOT_FOUND' } });
  });

  it('restores and drops what was displaced', async () => {
    await server.done('/updates', { base: 'tiny', procedure: world.script('taken', 'echo taken >/etc/taken') });
    await world.inside('db', 'echo mine >/etc/taken');
    await server.done('/updates/taken/rollback', {});
    const { displaced } = await server.json<{ displaced: { id: string; paths: string[] }[] }>('/displaced');
    expect(displaced).toMatchObject([{ paths: ['/etc/taken'] }]);
    const { id } = displaced[0]!;
    expect(await server.done(`/displaced/${id}/restore`, {})).toMatchObject({ result: { path: '/etc/taken' } });
    expect(await world.inside('db', 'cat /etc/taken')).toBe('mine\n');
    expect(await server.done(`/displaced/${id}/restore`, { path: '/etc/none' })).toMatchObject({ state: 'failed' });
    expect(await server.done('/displaced/drop', {})).toMatchObject({ state: 'failed', exitCode: 2 });
    expect(await server.done('/displaced/drop', { ids: [id] })).toMatchObject({ result: { dropped: [{ id }] } });
    expect(await server.json('/displaced')).toMatchObject({ displaced: [] });
  });

  it('counts how updates ended, and conflicts by container', async () => {
    const { updates, ended } = await world.json<{
      updates: { name: string; effects: { outcome: string }[] }[];
      ended: { effects?: object }[];
    }>('update', 'list', '--all');
    const counted = await server.json<{ updates: { name: string; counts: Record<string, number> }[] }>(
      '/update-counts',
    );
    for (const each of ended) delete each.effects;
    expect(counted).toMatchObject({ conflicts: [], ended });
    for (const { name, effects } of updates) {
      const { counts } = counted.updates.find((each) => each.name === name)!;
      expect(counts['skipped']).toBe(effects.filter(({ outcome }) => outcome === 'skipped').length);
      expect(counts['changed']).toBe(effects.filter(({ outcome }) => outcome === 'changed').length);
    }
  });

  it('sends the page compressed to browsers that take it', async () => {
    const get = async (accepted: string, etag?: string) => {
      const headers = { 'accept-encoding': accepted, ...(etag !== undefined && { 'if-none-match': etag }) };
      const response = await server.open('/assets/page.js', { headers });
      const parts: Buffer[] = [];
      for await (const part of response) parts.push(part as Buffer);
      const { 'content-encoding': encoding, etag: own, vary } = response.headers;
      return { body: Buffer.concat(parts), encoding, etag: own, vary, status: response.statusCode };
    };
    const [plain, brotli, gzip] = [
      await get('identity'),
      await get('gzip, deflate, br'),
      await get('br;q=0, gzip;q=1'),
    ];
    expect([plain.encoding, brotli.encoding, gzip.encoding]).toEqual([undefined, 'br', 'gzip']);
    expect(brotliDecompressSync(brotli.body)).toEqual(plain.body);
    expect(gunzipSync(gzip.body)).toEqual(plain.body);
    expect(new Set([plain.etag, brotli.etag, gzip.etag]).size).toBe(3);
    expect([plain.vary, brotli.vary]).toEqual(['accept-encoding', 'accept-encoding']);
    expect(await get('br', brotli.etag)).toMatchObject({ status: 304 });
    expect(await get('gzip', brotli.etag)).toMatchObject({ status: 200, encoding: 'gzip' });
  });
});
