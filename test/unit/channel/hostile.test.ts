import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { redirectedTo } from '../../../src/channel/carrier/request.js';
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
    expect(() => redirectedTo(from, 'http://updates.example.org/x', from)).toThrow('which is not safe');
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
