import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { redirectedTo } from '../../../src/channel/carrier/request.js';
import { retryAfterMs } from '../../../src/channel/carrier/retry.js';
import { carrierOf } from '../../../src/channel/index.js';
import { ChannelWorld, impatient } from '../../support/channels.js';
import { StaticServer } from '../../support/static-server.js';

let world: ChannelWorld;
let server: StaticServer;
const running: Server[] = [];

/** A server of an attacker; gives its address. */
async function serve(answer: (request: IncomingMessage, response: ServerResponse) => void): Promise<string> {
  const other = createServer(answer);
  running.push(other);
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  return `127.0.0.1:${(other.address() as AddressInfo).port}`;
}

beforeEach(async () => {
  world = new ChannelWorld();
  await world.make();
  server = await StaticServer.start(world.public);
});

afterEach(async () => {
  vi.unstubAllEnvs();
  for (const each of running.splice(0)) {
    each.closeAllConnections();
    each.close();
  }
  await server.stop();
  world.remove();
});

describe('a redirect', () => {
  const redirect = (to: (path: string) => string, status = 302): StaticServer['intervene'] => {
    return (path, _request, response) => {
      response.writeHead(status, { Location: to(path) }).end();
      return true;
    };
  };

  it.each([301, 302, 303, 307, 308])('by %i to a mirror is followed', async (status) => {
    const mirror = await StaticServer.start(world.public);
    try {
      server.intervene = redirect((path) => `${mirror.url}/${path}`, status);
      const update = await world.publish('one');
      const client = await world.client(server.url);
      expect((await client.refresh()).state.updates).toHaveLength(1);
      await client.download(update, world.path('packages'));
    } finally {
      await mirror.stop();
    }
  });

  it('in a circle ends', async () => {
    server.intervene = redirect((path) => `${server.url}/${path}`);
    await expect((await world.client(server.url)).refresh()).rejects.toMatchObject({
      code: 'CHANNEL_UNREACHABLE',
      message: expect.stringContaining('redirects more than 5 times') as string,
    });
    expect(server.takeLog()).toHaveLength(6);
  });

  it.each(['file:///etc/shadow', 'ftp://127.0.0.1/x', 'http://[', 'data:,x'])('to %s is refused', async (to) => {
    server.intervene = redirect(() => to);
    await expect((await world.client(server.url)).refresh()).rejects.toMatchObject({
      code: 'CHANNEL_UNREACHABLE',
      message: expect.stringMatching(/redirects to .*, which is not safe/) as string,
    });
  });

  it('never leads from HTTPS to HTTP', () => {
    const from = new URL('https://updates.example.org/metadata/timestamp.json');
    expect(redirectedTo(from, '/elsewhere', from).href).toBe('https://updates.example.org/elsewhere');
    expect(redirectedTo(from, '//mirror.example.org/x', from).href).toBe('https://mirror.example.org/x');
    for (const to of ['http://updates.example.org/x', 'https://user:password@updates.example.org/x'])
      expect(() => redirectedTo(from, to, from)).toThrow(
        'https://updates.example.org/metadata/timestamp.json redirects to',
      );
  });

  it('does not take the login of a registry to another server', async () => {
    const seen: (string | undefined)[] = [];
    const other = await serve((request, response) => {
      seen.push(request.headers.authorization);
      response.writeHead(404).end();
    });
    const registry = await serve((request, response) => {
      const { headers, url = '' } = request;
      if (headers.authorization === undefined) response.writeHead(401, { 'WWW-Authenticate': 'Basic realm="x"' }).end();
      else response.writeHead(307, { Location: `http://${other}${url}` }).end();
    });
    const auth = Buffer.from('robot:secret').toString('base64');
    writeFileSync(world.path('auth.json'), JSON.stringify({ auths: { [registry]: { auth } } }));
    vi.stubEnv('REGISTRY_AUTH_FILE', world.path('auth.json'));
    await expect((await world.client(`oci://${registry}/fleet/debian`)).refresh()).rejects.toMatchObject({
      code: 'CHANNEL_INCOMPLETE',
    });
    expect(seen).toEqual([undefined]);
  });
});

describe('a registry whose list of tags', () => {
  const listed = async (link: (url: string) => string) => {
    let pages = 0;
    const registry = await serve((request, response) => {
      pages += 1;
      response.writeHead(200, { Link: `<${link(request.url ?? '')}>; rel="next"` });
      response.end(JSON.stringify({ tags: [`m-${String(pages)}`] }));
    });
    const found: string[] = [];
    const carrier = carrierOf(`oci://${registry}/fleet/debian`, { patience: impatient });
    const read = async () => {
      for await (const path of carrier.list?.('reports') ?? []) found.push(path);
    };
    return { read: read(), found };
  };

  it.each([
    ['leads to another server', () => 'http://127.0.0.1:9/v2/x/tags/list'],
    ['names the same page again', (url: string) => url],
    ['names no address', () => 'http://['],
  ])('%s is refused', async (_what, link) => {
    const { read, found } = await listed(link);
    await expect(read).rejects.toMatchObject({
      code: 'CHANNEL_UNREACHABLE',
      message: expect.stringContaining('not a page of the same list') as string,
    });
    expect(found).toEqual(['reports/m-1']);
  });
});

describe('a web server', () => {
  it('that says "not modified" to who has nothing has no channel, and changes nothing for who has', async () => {
    const client = await world.client(server.url, 'before');
    const seen = await client.refresh();
    server.intervene = (_path, _request, response) => {
      response.writeHead(304).end();
      return true;
    };
    await expect((await world.client(server.url)).refresh()).rejects.toMatchObject({ code: 'CHANNEL_INCOMPLETE' });
    expect(await client.refresh()).toMatchObject({ changed: false, state: seen.state });
  });

  it.each(['', '"', 'last-modified now', `"${'x'.repeat(10_000)}"`, 'W/"\u00fc"'])(
    'may have any tag, which says nothing of what is read: %j',
    async (etag) => {
      server.intervene = (path, _request, response) => {
        if (!path.endsWith('timestamp.json')) return false;
        response.writeHead(200, { ETag: etag }).end(readFileSync(join(world.public, path)));
        return true;
      };
      const client = await world.client(server.url);
      await client.refresh();
      await world.publish('one');
      expect((await client.refresh()).state.updates).toHaveLength(1);
    },
  );

  it.each([
    ['-5', undefined],
    ['5.5', undefined],
    ['0', 0],
    [' 7 ', 7000],
    ['99999999999', 99_999_999_999_000],
    ['soon', undefined],
    ['1e9', undefined],
    ['Thu, 01 Jan 1970 00:00:30 GMT', 20_000],
    ['Thu, 01 Jan 1970 00:00:00 GMT', 0],
  ])('may ask for a pause by %j', (header, ms) => {
    expect(retryAfterMs(header, 10_000)).toBe(ms);
  });

  it('may have an address of IPv6, a port, and slashes at its end; but no login', async () => {
    const other = createServer((request, response) => {
      response.end(request.url ?? '');
    });
    running.push(other);
    await new Promise<void>((resolve) => other.listen(0, '::1', resolve));
    const { port } = other.address() as AddressInfo;
    for (const [end, path] of [
      ['', '/'],
      ['/', '/'],
      ['/a', '/a/'],
      ['/a//', '/a//'],
    ] as const) {
      const found = await carrierOf(`http://[::1]:${port}${end}`).read('metadata/x y.json', { maxBytes: 100 });
      const pieces: Uint8Array[] = [];
      if (found.status === 'found') for await (const piece of found.bytes) pieces.push(piece);
      expect(Buffer.concat(pieces).toString()).toBe(`${path}metadata/x%20y.json`);
    }
    for (const bad of ['http://u:secret@host/', 'http://host/?a', 'http://host/#a', 'http://host:99999/'])
      expect(() => carrierOf(bad)).toThrow(expect.objectContaining({ exitCode: 2 }));
    expect(() => carrierOf('http://u:secret@host/')).toThrow(expect.not.stringContaining('secret'));
  });
});
