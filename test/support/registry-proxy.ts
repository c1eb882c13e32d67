import { createServer, request as forward } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What becomes of a request: a status that answers it, or how it fails. Undefined: the registry answers. */
export type Fault = 401 | 429 | 500 | 'ends half-way' | 'answers half' | 'stalls' | undefined;

/** Stands before a registry on the loopback, and fails where the registry would not. */
export class RegistryProxy {
  fault: (request: IncomingMessage) => Fault = () => undefined;
  /** Requests that ran into a fault, or found no registry. */
  readonly failed: string[] = [];
  readonly #server: Server;

  /** @param registry its port; another one once it was started again */
  constructor(public registry: number) {
    this.#server = createServer((request, response) => {
      this.#answer(request, response);
    });
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async start(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
  }

  stop(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { method = '', url = '', headers } = request;
    const fault = this.fault(request);
    if (fault !== undefined && fault !== 'answers half') {
      this.failed.push(`${method} ${url}`);
      this.#fail(fault, request, response);
      return;
    }
    // With the Host header as it came, the registry's answers lead back here.
    const onward = forward({ host: '127.0.0.1', port: this.registry, method, path: url, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 500, answer.headers);
      if (fault === undefined) answer.pipe(response);
      else this.#cut(answer, response);
    });
    onward.on('error', () => {
      this.failed.push(`${method} ${url}`);
      response.destroy();
    });
    request.pipe(onward);
  }

  /** Passes on the first piece of an answer, and breaks off. */
  #cut(answer: IncomingMessage, response: ServerResponse): void {
    answer.once('data', (piece: Buffer) => {
      answer.destroy();
      response.write(piece.subarray(0, 1000), () => response.destroy());
    });
  }

  #fail(fault: Exclude<Fault, 'answers half' | undefined>, request: IncomingMessage, response: ServerResponse): void {
    if (fault === 'stalls') return;
    if (fault === 'ends half-way') {
      request.once('data', () => request.destroy());
      return;
    }
    // Answered too early, the client may see no more than a closed connection.
    const headers = { 401: { 'WWW-Authenticate': 'Basic realm="test"' }, 429: { 'Retry-After': '0' }, 500: {} }[fault];
    request.once('end', () => response.writeHead(fault, headers).end());
    request.resume();
  }
}
