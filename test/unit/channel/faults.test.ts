import dns from 'node:dns';
import { readFileSync, readdirSync, statSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { CarrierFailure } from '../../../src/channel/index.js';
import type { ChannelUpdate } from '../../../src/channel/index.js';
import { ChannelWorld, impatient } from '../../support/channels.js';
import { StaticServer } from '../../support/static-server.js';

const cut = 65_536;

let world: ChannelWorld;
let server: StaticServer;
let update: ChannelUpdate;

beforeEach(async () => {
  world = new ChannelWorld();
  await world.make();
  update = await world.publish('one', { bytes: 600_000 });
  server = await StaticServer.start(world.public);
});

afterEach(async () => {
  await server.stop();
  world.remove();
});

const isPackage = (path: string) => path.endsWith('.tar');
const content = () => readFileSync(world.path('one.tar'));

/** Answers from where the request says, with `bytes` of what is announced, then ends the connection. */
function answerPart(
  request: { headers: { range?: string | undefined } },
  response: ServerResponse,
  count: number,
): number {
  const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
  const bytes = content();
  const range = { 'Content-Range': `bytes ${from}-${bytes.length - 1}/${bytes.length}` };
  response.writeHead(from > 0 ? 206 : 200, { 'Content-Length': bytes.length - from, ...(from > 0 ? range : {}) });
  response.write(bytes.subarray(from, from + count), () => response.destroy());
  return from;
}

describe('a download goes on where it broke off', () => {
  it('when the connection is cut at every 64 KiB', async () => {
    const starts: number[] = [];
    server.intervene = (path, request, response) => {
      if (isPackage(path)) starts.push(answerPart(request, response, cut));
      return isPackage(path);
    };
    const client = await world.client(server.url);
    const path = await client.download(update, world.path('packages'));
    expect(readFileSync(path)).toEqual(content());
    // Each attempt begins where the one before ended, and nothing is sent twice.
    expect(starts).toEqual([...starts].sort((a, b) => a - b));
    expect(new Set(starts).size).toBe(starts.length);
    expect(starts.length).toBeGreaterThanOrEqual(Math.floor(update.package.bytes / cut));
  });

  it('in another process, with one request for the rest', async () => {
    let cuts = 0;
    server.intervene = (path, request, response) => {
      if (!isPackage(path)) return false;
      if (cuts++ > 0) {
        response.destroy();
        return true;
      }
      answerPart(request, response, 3 * cut);
      return true;
    };
    const first = await world.client(server.url);
    await expect(first.download(update, world.path('packages'))).rejects.toMatchObject({ code: 'CHANNEL_UNREACHABLE' });
    const [part = ''] = readdirSync(world.path('packages'));
    expect(part).toMatch(/\.part$/);
    const had = statSync(world.path('packages', part)).size;
    expect(had).toBeGreaterThan(0);
    const ranges: (string | undefined)[] = [];
    server.intervene = (path, request) => {
      if (isPackage(path)) ranges.push(request.headers.range);
      return false;
    };
    await (await world.client(server.url)).download(update, world.path('packages'));
    expect(ranges).toEqual([`bytes=${had}-`]);
  });

  it('from a server that knows no ranges', async () => {
    let count = 0;
    server.intervene = (path, request, response) => {
      if (!isPackage(path)) return false;
      delete request.headers.range;
      if (count++ > 0) return false;
      answerPart(request, response, cut);
      return true;
    };
    const path = await (await world.client(server.url)).download(update, world.path('packages'));
    expect(readFileSync(path)).toEqual(content());
    expect(count).toBe(2);
  });
});

describe('a server that fails', () => {
  const failing = (status: number, times: number, headers: Record<string, string> = {}) => {
    let left = times;
    server.intervene = (_path, _request, response) => {
      if (left-- <= 0) return false;
      response.writeHead(status, headers).end('busy');
      return true;
    };
  };

  it.each([429, 500, 502, 503])('for a moment with %i is asked again', async (status) => {
    failing(status, 2);
    await expect((await world.client(server.url)).refresh()).resolves.toMatchObject({ changed: true });
    expect(server.takeLog().slice(0, 3)).toEqual([
      `GET metadata/timestamp.json ${status}`,
      `GET metadata/timestamp.json ${status}`,
      'GET metadata/timestamp.json 200',
    ]);
  });

  it.each([429, 503])('with %i and Retry-After is not asked before that', async (status) => {
    failing(status, 1, { 'Retry-After': '1' });
    const start = performance.now();
    await (await world.client(server.url)).refresh();
    // A timer may fire a millisecond early.
    expect(performance.now() - start).toBeGreaterThanOrEqual(995);
  });

  it('with a Retry-After that is longer than one waits says so at once', async () => {
    failing(503, 1, { 'Retry-After': '86400' });
    const refreshed = (await world.client(server.url)).refresh();
    await expect(refreshed).rejects.toBeInstanceOf(CarrierFailure);
    await expect(refreshed).rejects.toMatchObject({
      code: 'CHANNEL_BUSY',
      retryAfterMs: 86_400_000,
      message: expect.stringContaining('86400 s') as string,
    });
    expect(server.takeLog()).toHaveLength(1);
  });

  it('for good is given up, and named', async () => {
    failing(500, Number.POSITIVE_INFINITY);
    await expect((await world.client(server.url)).refresh()).rejects.toMatchObject({
      code: 'CHANNEL_UNREACHABLE',
      exitCode: 1,
      message: expect.stringContaining('metadata/timestamp.json answers 500') as string,
    });
    expect(server.takeLog()).toHaveLength(1 + impatient.retries);
  });

  it.each([401, 403])('with %i asks for a login, and is not asked again', async (status) => {
    failing(status, Number.POSITIVE_INFINITY);
    await expect((await world.client(server.url)).refresh()).rejects.toMatchObject({ code: 'CHANNEL_LOGIN' });
    expect(server.takeLog()).toHaveLength(1);
  });

  it('by never answering is left after the time that one waits', async () => {
    server.intervene = () => true;
    const client = await world.client(server.url, 'follower', { patience: { ...impatient, idleMs: 50, retries: 1 } });
    await expect(client.refresh()).rejects.toMatchObject({ code: 'CHANNEL_TIMEOUT' });
  });

  it('by sending a byte now and then is left as well', async () => {
    server.intervene = (path, _request, response) => {
      if (!isPackage(path)) return false;
      response.writeHead(200, { 'Content-Length': update.package.bytes });
      const timer = setInterval(() => response.write('x'), 10);
      response.on('close', () => {
        clearInterval(timer);
      });
      return true;
    };
    const patience = { ...impatient, idleMs: 200, retries: 0, bytesPerSecond: 10_000 };
    const client = await world.client(server.url, 'follower', { patience });
    await expect(client.download(update, world.path('packages'))).rejects.toMatchObject({
      code: 'CHANNEL_TIMEOUT',
      message: expect.stringContaining('too slowly') as string,
    });
  });

  it('by sending a byte and breaking off is left as well', async () => {
    server.intervene = (path, _request, response) => {
      if (!isPackage(path)) return false;
      response.writeHead(206).end('x');
      return true;
    };
    const patience = { ...impatient, retries: 3, bytesPerSecond: 1e9 };
    const client = await world.client(server.url, 'follower', { patience });
    server.takeLog();
    await expect(client.download(update, world.path('packages'))).rejects.toMatchObject({
      code: 'CHANNEL_UNREACHABLE',
    });
    expect(server.takeLog()).toHaveLength(4);
  });

  it('by compressing what it sends is refused', async () => {
    const bytes = gzipSync(Buffer.alloc(1000));
    server.intervene = (_path, _request, response) => {
      response.writeHead(200, { 'Content-Encoding': 'gzip', 'Content-Length': bytes.length }).end(bytes);
      return true;
    };
    await expect((await world.client(server.url)).refresh()).rejects.toThrow('compressed, which was not asked for');
  });

  describe('whose name cannot be resolved', () => {
    /** The server by a name, which the resolver does not know for so many times. */
    function unresolved(times: number): { readonly url: string; readonly asked: () => number } {
      let asked = 0;
      const lookup = dns.lookup as (...args: unknown[]) => unknown;
      vi.spyOn(dns, 'lookup').mockImplementation(((name: string, options: object, done: (error: Error) => void) => {
        if (asked++ >= times) return lookup(name, options, done);
        const reason = { code: 'EAI_AGAIN', syscall: 'getaddrinfo', hostname: name };
        return setImmediate(() => done(Object.assign(new Error(`getaddrinfo EAI_AGAIN ${name}`), reason)));
      }) as never);
      return { url: server.url.replace('127.0.0.1', 'localhost'), asked: () => asked };
    }
    beforeEach(() => {
      // Else the connection that is open already would do.
      server.intervene = (_path, _request, response) => {
        response.setHeader('Connection', 'close');
        return false;
      };
    });
    afterEach(() => {
      vi.restoreAllMocks();
    });

    it('for a moment is asked again, also in the middle of a download', async () => {
      const first = unresolved(2);
      const client = await world.client(first.url);
      await expect(client.refresh()).resolves.toMatchObject({ changed: true });
      expect(first.asked()).toBeGreaterThan(2);
      vi.restoreAllMocks();
      let second: ReturnType<typeof unresolved> | undefined;
      server.intervene = (path, request, response) => {
        if (!isPackage(path) || second !== undefined) return false;
        answerPart(request, response, cut);
        second = unresolved(2);
        return true;
      };
      expect(readFileSync(await client.download(update, world.path('packages')))).toEqual(content());
      expect(second?.asked()).toBeGreaterThan(2);
    });

    it('for good is named, and what was received is kept', async () => {
      const { url } = unresolved(0);
      const client = await world.client(url);
      await client.refresh();
      vi.restoreAllMocks();
      const { asked } = unresolved(Number.POSITIVE_INFINITY);
      await expect(client.refresh()).rejects.toMatchObject({
        code: 'CHANNEL_UNREACHABLE',
        message: expect.stringContaining('getaddrinfo EAI_AGAIN localhost') as string,
      });
      expect(asked()).toBe(1 + impatient.retries);
      vi.restoreAllMocks();
      await expect(client.refresh()).resolves.toMatchObject({ changed: false, bytes: 0 });
    });
  });

  it('by not being there is named', async () => {
    const { url } = server;
    await server.stop();
    const client = await world.client(url);
    await expect(client.refresh()).rejects.toMatchObject({
      code: 'CHANNEL_UNREACHABLE',
      message: expect.stringContaining('ECONNREFUSED') as string,
    });
    server = await StaticServer.start(world.public);
  });

  it('is left at once when the command is interrupted', async () => {
    server.intervene = () => true;
    const controller = new AbortController();
    const client = await world.client(server.url, 'follower', { patience: { idleMs: 60_000 } });
    const refreshed = client.refresh(controller.signal);
    setTimeout(() => {
      controller.abort(new Error('interrupted'));
    }, 20);
    await expect(refreshed).rejects.toThrow('interrupted');
  });
});
