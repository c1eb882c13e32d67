import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { Descriptor } from './layouts.js';

/** A status with which it answers all, or how it fails. */
export type Behaviour = 'serves' | 'ends' | 'ends in blobs' | 'stalls in blobs' | 401 | 429 | 500;

/** Smaller blobs are configurations: only layers are broken off. */
const largestDescription = 100_000;

const login = { 'WWW-Authenticate': 'Basic realm="test"' };

/** A registry (OCI distribution specification) on the loopback that serves the blobs of a layout, or misbehaves. */
export class Registry {
  behaviour: Behaviour = 'serves';
  readonly tags = new Map<string, Descriptor>();
  /** After how many refusals (a status, as `behaviour`) it serves. */
  refusals = Number.POSITIVE_INFINITY;
  /** Digests of blobs that were asked for. */
  readonly asked: string[] = [];
  readonly #server: Server;

  constructor(readonly layout: string) {
    this.#server = createServer((request, response) => {
      this.#answer(request, response);
    });
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  async start(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
  }

  stop(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  #answer({ url = '', method }: IncomingMessage, response: ServerResponse): void {
    const [, kind = '', what = ''] = /^\/v2\/web\/(manifests|blobs|tags)\/(.*)$/.exec(url) ?? [];
    if (this.behaviour === 'ends') {
      response.destroy();
      return;
    }
    if (typeof this.behaviour === 'number' && this.refusals > 0) {
      this.refusals -= 1;
      const wait = { 'Retry-After': Number.isFinite(this.refusals) ? '1' : '0' };
      response.writeHead(this.behaviour, this.behaviour === 429 ? wait : login).end();
      return;
    }
    if (url === '/v2/') response.writeHead(200).end('{}');
    else if (kind === 'tags') this.#json(response, { name: 'web', tags: [...this.tags.keys()] });
    else if (kind === 'manifests') this.#manifest(response, what, method === 'HEAD');
    else if (kind === 'blobs') this.#blob(response, what, method === 'HEAD');
    else response.writeHead(404).end();
  }

  #manifest(response: ServerResponse, what: string, isHead: boolean): void {
    const digest = what.startsWith('sha256:') ? what : this.tags.get(what)?.digest;
    const bytes = digest === undefined ? undefined : this.#read(digest);
    if (digest === undefined || bytes === undefined) {
      response.writeHead(404).end();
      return;
    }
    const { mediaType } = JSON.parse(bytes.toString('utf8')) as { mediaType: string };
    response.writeHead(200, {
      'Content-Type': mediaType,
      'Docker-Content-Digest': digest,
      'Content-Length': bytes.length,
    });
    response.end(isHead ? undefined : bytes);
  }

  #blob(response: ServerResponse, digest: string, isHead: boolean): void {
    const bytes = this.#read(digest);
    if (!isHead) this.asked.push(digest);
    if (bytes === undefined) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { 'Content-Type': 'application/octet-stream', 'Content-Length': bytes.length });
    if (this.behaviour === 'ends in blobs') {
      response.write(bytes.subarray(0, bytes.length >> 1));
      response.destroy();
      return;
    }
    if (this.behaviour === 'stalls in blobs' && !isHead && bytes.length > largestDescription)
      response.write(bytes.subarray(0, bytes.length >> 1));
    else response.end(isHead ? undefined : bytes);
  }

  #json(response: ServerResponse, value: object): void {
    response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(value));
  }

  #read(digest: string): Buffer | undefined {
    try {
      return readFileSync(join(this.layout, 'blobs/sha256', digest.slice('sha256:'.length)));
    } catch {
      return undefined;
    }
  }
}
