import { chmodSync, chownSync, existsSync, statSync, writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { World, mayMount } from '../support/lamina.js';
import { Server } from '../support/serve-client.js';

const admin = 'a'.repeat(40);
const clients = 1000;
const user = 4242;

/** What strangers send to a server on TCP. Who may ask what is in test/unit/http/guard.test.ts. */
describe.skipIf(!mayMount)('attacks on lamina serve', () => {
  let world: World;
  let server: Server;
  beforeAll(async () => {
    world = new World('attacks');
    await world.initWithTiny();
    await world.run('create', 'web', '--base', 'tiny');
    const tokens = world.path('tokens');
    writeFileSync(tokens, `admin ${admin}\nreader ${'r'.repeat(40)} read-only\n`, { mode: 0o600 });
    server = await Server.start(world, ['--listen', '127.0.0.1:0', '--token-file', tokens], admin);
  });
  afterAll(async () => {
    await server.end();
    world.remove();
  });

  /** The raw answer to raw bytes; ends when the server closes, or has answered. */
  async function raw(bytes: string | Buffer, untilClosed = false): Promise<string> {
    const socket = server.connect();
    let text = '';
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
    const answered = new Promise<void>((resolve) =>
      socket.on('data', (chunk: Buffer) => {
        text += chunk.toString('latin1');
        if (text.includes('\r\n\r\n')) resolve();
      }),
    );
    socket.on('error', () => undefined);
    socket.write(bytes);
    await (untilClosed ? closed : Promise.race([closed, answered]));
    socket.destroy();
    return text;
  }

  const get = (target: string, more = '') =>
    raw(`GET ${target} HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\nAuthorization: Bearer ${admin}\r\n${more}\r\n`);

  it('addresses that climb, in every writing', async () => {
    const ups = [
      '..',
      '%2e%2e',
      '%252e%252e',
      '..%2f',
      '%2e%2e%2f',
      '..%5c',
      '..\\',
      '%c0%ae%c0%ae',
      '%u002e',
      '.%00.',
    ];
    for (const up of ups)
      for (const start of ['', '/assets', '/api/v1/jobs', '/api/v1/nodes']) {
        const answer = await get(`${start}/${up}/${up}/${up}/${up}/etc/passwd`);
        expect(answer).toMatch(/^HTTP\/1\.1 (400|404) /);
        expect(answer).not.toContain('root:');
      }
    expect(await get('http://evil.example/api/v1/store')).toMatch(/^HTTP\/1\.1 (200|400|404|421) /);
    expect(await get('/\xff\xfe')).toMatch(/^HTTP\/1\.1 (400|404) /);
  });

  it('requests that are none, too long, or smuggled', async () => {
    expect(await raw('\x16\x03\x01\x00\xff'.repeat(10), true)).toMatch(/^HTTP\/1\.1 400 /);
    expect(await get('/', `X: ${'x'.repeat(20_000)}\r\n`)).toMatch(/^HTTP\/1\.1 431 /);
    expect(await get('/', 'Content-Length: 5\r\nTransfer-Encoding: chunked\r\n')).toMatch(/^HTTP\/1\.1 400 /);
    expect(await raw('GET /api/v1/store HTTP/1.0\r\n\r\n')).toMatch(/^HTTP\/1\.1 4\d\d /);
    const two = await get('/api/v1/store', `Host: evil.example\r\n`);
    expect(two).toMatch(/^HTTP\/1\.1 (200|400|421) /);
    const body = await server
      .ask('/api/v1/gc', { method: 'POST', body: `{"x":"${'x'.repeat(4 << 20)}"}` })
      .catch((error: unknown) => ({ status: (error as NodeJS.ErrnoException).code }));
    // It may close before all was sent.
    expect([413, 'EPIPE', 'ECONNRESET']).toContain(body.status);
    for (const text of ['{', '[]', '"x"', 'null', '{"__proto__":{"dryRun":true}}', '{"dryRun":"yes"}', '{"a":1}'])
      expect((await server.ask('/api/v1/gc', { method: 'POST', body: text })).status, text).toBe(400);
  });

  it('a thousand readers of events that do nothing', async () => {
    const open: IncomingMessage[] = [];
    for (let at = 0; at < clients; at += 50)
      open.push(...(await Promise.all(Array.from({ length: 50 }, async () => server.open('/api/v1/events')))));
    expect(open.map(({ statusCode }) => statusCode).filter((status) => status !== 200)).toEqual([]);
    expect((await server.ask('/metrics')).text).toMatch(new RegExp(`^lamina_http_event_streams ${clients}$`, 'm'));
    for (const path of ['/api/v1/events', '/api/v1/jobs/j-0123456789abcdef/events'])
      expect((await server.ask(path, { method: 'HEAD' })).status).toBe(404);
    expect(await server.json('/store')).toMatchObject({ store: world.store });
    // Each of them is told.
    const told = open.map(
      (each) =>
        new Promise<void>((resolve) => {
          let text = '';
          each.on('data', (chunk: Buffer) => {
            text += chunk.toString();
            if (/event: store\n.*\ndata: \{"generation":3\}/.test(text)) resolve();
          });
        }),
    );
    await world.run('create', 'more', '--base', 'tiny');
    await Promise.all(told);
    for (const each of open) each.destroy();
    while (!/^lamina_http_event_streams 0$/m.test((await server.ask('/metrics')).text))
      await new Promise((resolve) => setTimeout(resolve, 50));
  }, 60_000);

  it('requests that never end, beside which others are answered', async () => {
    const slow: Socket[] = Array.from({ length: 200 }, () => server.connect());
    const ended = slow.map(
      (socket) =>
        new Promise<string>((resolve) => {
          let text = '';
          socket.on('error', () => undefined);
          socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
          socket.once('close', () => resolve(text));
        }),
    );
    for (const socket of slow) socket.write('GET / HTTP/1.1\r\nHost: 127');
    expect(await server.json('/store')).toMatchObject({ store: world.store });
    for (const text of await Promise.all(ended)) expect(text).toMatch(/^HTTP\/1\.1 408 /);
  }, 60_000);

  it('a store of a user, which root serves as that user', async () => {
    const own = world.makeDirectory('own');
    chownSync(own, user, user);
    chmodSync(world.directory, 0o755);
    const store = join(own, 'store');
    const as = ['setpriv', `--reuid=${user}`, `--regid=${user}`, '--clear-groups'];
    const made = await world.start(['--store', store, 'init'], { through: as }).finished;
    expect(made).toMatchObject({ code: 0 });
    const socket = join(own, 'serve.sock');
    const theirs = await Server.start(world, ['--listen', `unix:${socket}`], undefined, store);
    expect(await theirs.json('/store')).toMatchObject({ store });
    expect(statSync(socket).uid).toBe(user);
    expect(statSync(join(store, 'serve')).uid).toBe(user);
    await theirs.end();
    expect(existsSync(socket)).toBe(false);
  });

  it('token files of others, and addresses that other machines reach', async () => {
    await server.end();
    const tokens = world.path('tokens');
    chmodSync(tokens, 0o640);
    const attempt = async (...args: string[]) => (await world.attempt('serve', '--listen', ...args)).stderr;
    expect(await attempt('127.0.0.1:0', '--token-file', tokens)).toMatch(/other users may read or change the token/);
    chmodSync(tokens, 0o600);
    expect(await attempt('0.0.0.0:0', '--token-file', tokens)).toMatch(/which other machines can reach/);
    const open = world.makeDirectory('open');
    chmodSync(open, 0o777);
    expect(await attempt(`unix:${open}/serve.sock`)).toMatch(/other users could replace the socket/);
    server = await Server.start(world, ['--listen', '127.0.0.1:0', '--token-file', tokens], admin);
  });
});
