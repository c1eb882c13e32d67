import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

interface Asked {
  readonly method: string;
  readonly kind: string;
  readonly key: string;
  readonly url: URL;
}

/** A registry in memory that asks for a login, by RFC 7617 or by the token scheme of the distribution specification. */
export class LoginRegistry {
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
