import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { carrierOf, pushChannel, readSmall } from '../../../src/channel/index.js';
import { ChannelWorld, impatient } from '../../support/channels.js';

interface Asked {
  readonly method: string;
  readonly kind: string;
  readonly key: string;
  readonly url: URL;
}

/** A registry in memory that asks for a login, by RFC 7617 or by the token scheme of the distribution specification. */
class LoginRegistry {
  scheme: 'basic' | 'token' = 'basic';
  readonly asked: string[] = [];
  readonly #blobs = new Map<string, Buffer>();
  readonly #manifests = new Map<string, Buffer>();
  readonly #server: Server = createServer((request, response) => {
    void this.#answer(request, response);
  });

  async start(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
  }

  stop(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const pieces: Buffer[] = [];
    for await (const piece of request) pieces.push(piece as Buffer);
    const url = new URL(request.url ?? '', 'http://x');
    const { authorization = '' } = request.headers;
    const basic = `Basic ${Buffer.from('robot:secret').toString('base64')}`;
    if (url.pathname === '/token') {
      const scope = url.searchParams.get('scope') ?? '';
      this.asked.push(`${url.searchParams.get('service') ?? ''} ${scope}`);
      if (authorization !== basic) response.writeHead(401).end();
      else response.end(JSON.stringify({ token: scope }));
      return;
    }
    const [, repository = '', kind = '', name = ''] = /^\/v2\/(.*)\/(manifests|blobs)\/(.*)$/.exec(url.pathname) ?? [];
    const isRead = request.method === 'GET' || request.method === 'HEAD';
    const token = `Bearer repository:${repository}:${isRead ? 'pull' : 'pull,push'}`;
    const wider = `Bearer repository:${repository}:pull,push`;
    const right = this.scheme === 'basic' ? [basic] : [token, wider];
    if (!right.includes(authorization)) {
      const realm = `Bearer realm="http://${this.address}/token",service="test"`;
      response.writeHead(401, { 'WWW-Authenticate': this.scheme === 'basic' ? 'Basic realm="x"' : realm }).end();
      return;
    }
    const asked = { method: request.method ?? '', kind, key: `${repository} ${name}`, url };
    this.#store(asked, Buffer.concat(pieces), response);
  }

  #store({ method, kind, key, url }: Asked, body: Buffer, response: ServerResponse): void {
    const kept = kind === 'manifests' ? this.#manifests : this.#blobs;
    if (method === 'POST')
      response.writeHead(202, { Location: `/v2/${key.split(' ')[0] ?? ''}/blobs/uploads/1?s=1` }).end();
    else if (method === 'PUT') {
      const digest = url.searchParams.get('digest');
      const real = `sha256:${createHash('sha256').update(body).digest('hex')}`;
      if (kind === 'blobs' && digest !== real) response.writeHead(400).end();
      else {
        kept.set(kind === 'blobs' ? `${key.split(' ')[0] ?? ''} ${real}` : key, body);
        response.writeHead(201).end();
      }
    } else {
      const bytes = kept.get(key);
      if (bytes === undefined) response.writeHead(404).end();
      else response.writeHead(200, { 'Content-Length': bytes.length }).end(method === 'HEAD' ? undefined : bytes);
    }
  }
}

let world: ChannelWorld;
let registry: LoginRegistry;

beforeEach(async () => {
  world = new ChannelWorld();
  await world.make();
  await world.publish('one');
  registry = new LoginRegistry();
  await registry.start();
});

afterEach(() => {
  vi.unstubAllEnvs();
  registry.stop();
  world.remove();
});

function logIn(auths: object): void {
  const file = world.path('auth.json');
  writeFileSync(file, JSON.stringify({ auths }));
  vi.stubEnv('REGISTRY_AUTH_FILE', file);
}

const login = (user: string, password: string) => ({ auth: Buffer.from(`${user}:${password}`).toString('base64') });
const carrier = () => carrierOf(`oci://${registry.address}/fleet/debian`, { patience: impatient });
const push = () => pushChannel({ directory: world.channel, to: carrier() });

describe.each(['basic', 'token'] as const)('a registry that asks for a login (%s)', (scheme) => {
  beforeEach(() => {
    registry.scheme = scheme;
  });

  it('gets that of the auth file, for the longest part of the repository’s name', async () => {
    logIn({ [registry.address]: login('other', 'wrong'), [`${registry.address}/fleet`]: login('robot', 'secret') });
    await push();
    const client = await world.client(`oci://${registry.address}/fleet/debian`);
    const { state } = await client.refresh();
    expect(state.updates).toMatchObject([{ name: 'one' }]);
    await client.download(state.updates[0]!, world.path('packages'));
    if (scheme === 'token') expect(registry.asked).toContain('test repository:fleet/debian/metadata:pull,push');
  });

  it('is not asked again and again with a wrong one', async () => {
    logIn({ [registry.address]: login('robot', 'wrong') });
    await expect(push()).rejects.toMatchObject({ code: 'CHANNEL_LOGIN' });
  });

  it('is named where there is none, without what is in the file', async () => {
    logIn({});
    const refused = push();
    await expect(refused).rejects.toMatchObject({
      code: 'CHANNEL_LOGIN',
      hint: expect.stringContaining('login') as string,
    });
  });
});

describe('an auth file', () => {
  it.each([
    ['is no JSON', 'x'],
    ['holds no login', '{"auths":{"127.0.0.1":{"auth":"c2VjcmV0"}}}'],
  ])('that %s is named, and none of its content is shown', async (_what, text) => {
    const file = world.path('auth.json');
    writeFileSync(file, text.replace('127.0.0.1', registry.address));
    vi.stubEnv('REGISTRY_AUTH_FILE', file);
    const error = await push().then(
      () => undefined,
      (thrown: unknown) => thrown as Error,
    );
    expect(error).toMatchObject({ code: 'CHANNEL_LOGIN' });
    expect(error?.message).toContain(file);
    expect(error?.message).not.toContain('secret');
  });

  it('that is named and missing is an error', async () => {
    vi.stubEnv('REGISTRY_AUTH_FILE', world.path('missing.json'));
    await expect(push()).rejects.toMatchObject({ code: 'CHANNEL_LOGIN' });
  });
});

describe('a repository', () => {
  it('holds single files, too, each under a tag of its own', async () => {
    registry.scheme = 'token';
    logIn({ [registry.address]: login('robot', 'secret') });
    const to = carrier();
    await to.write?.('reports/m-1', Buffer.from('one'));
    await to.write?.('reports/m-2', Buffer.from('two'));
    expect(await readSmall(to, 'reports/m-2', { maxBytes: 10 })).toMatchObject({ bytes: Buffer.from('two') });
    expect(await readSmall(to, 'reports/m-3', { maxBytes: 10 })).toEqual({ status: 'absent' });
    await expect(readSmall(to, 'reports/m-2', { maxBytes: 2 })).rejects.toMatchObject({ code: 'CHANNEL_TOO_LONG' });
  });

  it.each(['oci://', 'oci://host', 'oci://host/UPPER', 'oci://host/a:tag', 'oci://host/../x', 'ftp://host/x', ''])(
    'has an address, which %s is not',
    (url) => {
      expect(() => carrierOf(url)).toThrow(expect.objectContaining({ code: 'BAD_ADDRESS' }));
    },
  );
});
