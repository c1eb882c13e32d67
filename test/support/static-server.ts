import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

/** Answers a request in another way than with the file; true: it did. */
export type Intervention = (path: string, request: IncomingMessage, response: ServerResponse) => boolean;

/** A plain web server on the loopback: conditional requests, ranges, nothing else. A test may tamper with it. */
export class StaticServer {
  /** `GET /path 200`, in the order of the answers. */
  readonly log: string[] = [];
  /** Bytes of bodies that were sent. */
  sent = 0;
  intervene: Intervention = () => false;
  /** Other bytes for a path than the file has. */
  readonly replaced = new Map<string, Buffer>();
  readonly #server: Server;

  private constructor(public directory: string) {
    this.#server = createServer((request, response) => {
      this.#answer(request, response);
    });
  }

  static async start(directory: string): Promise<StaticServer> {
    const server = new StaticServer(directory);
    await new Promise<void>((resolve) => server.#server.listen(0, '127.0.0.1', resolve));
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/channel`;
  }

  /** As the log has it, without statuses: what was asked for since the last call. */
  takeLog(): string[] {
    return this.log.splice(0);
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const path = decodeURIComponent(request.url ?? '').replace(/^\/channel\//, '');
    response.on('close', () => this.log.push(`${request.method ?? ''} ${path} ${response.statusCode}`));
    if (this.intervene(path, request, response)) return;
    const bytes = this.#bytes(path);
    if (bytes === undefined) {
      response.writeHead(404).end();
      return;
    }
    const etag = `"${createHash('sha256').update(bytes).digest('hex').slice(0, 16)}"`;
    if (request.headers['if-none-match'] === etag) {
      response.writeHead(304, { ETag: etag }).end();
      return;
    }
    const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
    if (from > 0 && from >= bytes.length) {
      response.writeHead(416, { 'Content-Range': `bytes */${bytes.length}` }).end();
      return;
    }
    const range = { 'Content-Range': `bytes ${from}-${bytes.length - 1}/${bytes.length}` };
    response.writeHead(from > 0 ? 206 : 200, {
      ETag: etag,
      'Content-Length': bytes.length - from,
      ...(from > 0 ? range : {}),
    });
    this.sent += bytes.length - from;
    response.end(bytes.subarray(from));
  }

  #bytes(path: string): Buffer | undefined {
    const other = this.replaced.get(path);
    if (other !== undefined) return other;
    try {
      return readFileSync(join(this.directory, path));
    } catch {
      return undefined;
    }
  }
}
