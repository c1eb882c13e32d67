import { request } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import type { Started, World } from './lamina.js';

export interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly text: string;
}

export interface JobDocument {
  readonly id: string;
  readonly state: string;
  readonly exitCode: number | null;
  readonly message: string | null;
  readonly output: string;
  readonly result: Record<string, unknown> | null;
}

export interface SentEvent {
  readonly event: string;
  readonly id: string;
  readonly data: Record<string, unknown>;
}

interface Asking {
  readonly method?: string;
  readonly body?: object | string;
  readonly headers?: Record<string, string>;
}

/** A running `lamina serve`, and questions to it. */
export class Server {
  private constructor(
    readonly started: Started,
    /** As --remote takes it. */
    readonly url: string,
    readonly token: string | undefined,
  ) {}

  static async start(world: World, args: readonly string[], token?: string, store = world.store): Promise<Server> {
    const started = world.start(['--store', store, '--json', 'serve', ...args]);
    let text = '';
    started.child.stdout!.on('data', (chunk: Buffer) => (text += chunk.toString()));
    await started.said('"served"');
    while (!text.includes('}')) await new Promise((resolve) => setTimeout(resolve, 10));
    return new Server(started, (JSON.parse(text) as { served: string }).served, token);
  }

  get isRunning(): boolean {
    const { exitCode, signalCode } = this.started.child;
    return exitCode === null && signalCode === null;
  }

  get port(): number {
    return Number(new URL(this.url).port);
  }

  connect(): Socket {
    return this.url.startsWith('unix:') ? connect(this.url.slice('unix:'.length)) : connect(this.port, '127.0.0.1');
  }

  open(path: string, { method = 'GET', body, headers = {} }: Asking = {}): Promise<IncomingMessage> {
    const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
    const place = this.url.startsWith('unix:')
      ? { socketPath: this.url.slice('unix:'.length), host: 'localhost' }
      : { host: '127.0.0.1', port: this.port };
    return new Promise((resolve, reject) => {
      const sent = request(
        {
          ...place,
          method,
          path,
          agent: false,
          headers: {
            ...(this.token === undefined ? {} : { authorization: `Bearer ${this.token}` }),
            ...(text === undefined ? {} : { 'content-type': 'application/json' }),
            ...headers,
          },
        },
        resolve,
      );
      sent.on('error', reject);
      sent.end(text);
    });
  }

  async ask(path: string, asking: Asking = {}): Promise<Answer> {
    const response = await this.open(path, asking);
    const parts: Buffer[] = [];
    for await (const part of response) parts.push(part as Buffer);
    return { status: response.statusCode ?? 0, headers: response.headers, text: Buffer.concat(parts).toString() };
  }

  /** A document below /api/v1, whatever its status. */
  async json<T = Record<string, unknown>>(path: string, asking: Asking = {}): Promise<T> {
    return JSON.parse((await this.ask(`/api/v1${path}`, asking)).text) as T;
  }

  async act(path: string, body: object | undefined, method = 'POST'): Promise<JobDocument> {
    const { job, error } = await this.json<{ job?: JobDocument; error?: { message: string } }>(path, {
      method,
      ...(body && { body }),
    });
    if (job === undefined) throw new Error(`${path} is refused: ${error?.message}`);
    return job;
  }

  job = async (id: string): Promise<JobDocument> => (await this.json<{ job: JobDocument }>(`/jobs/${id}`)).job;

  /** Waits for the end of a job. */
  async ended(id: string): Promise<JobDocument> {
    for (;;) {
      const job = await this.job(id);
      if (job.state !== 'running') return job;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** An action to its end. */
  async done(path: string, body: object | undefined, method = 'POST'): Promise<JobDocument> {
    return this.ended((await this.act(path, body, method)).id);
  }

  /** Events until one that is wanted, or the end of the stream. */
  async events(path: string, isLast: (event: SentEvent) => boolean, last?: string): Promise<SentEvent[]> {
    const headers = last === undefined ? {} : { 'last-event-id': last };
    const response = await this.open(`/api/v1${path}`, { headers });
    const events: SentEvent[] = [];
    let text = '';
    for await (const part of response) {
      text += (part as Buffer).toString();
      const blocks = text.split('\n\n');
      text = blocks.pop() ?? '';
      for (const block of blocks) {
        const [, event, id, data] = /^event: (.*)\nid: (.*)\ndata: (.*)$/.exec(block) ?? [];
        if (event === undefined || id === undefined || data === undefined) continue;
        events.push({ event, id, data: JSON.parse(data) as SentEvent['data'] });
        if (isLast(events.at(-1)!)) {
          response.destroy();
          return events;
        }
      }
    }
    return events;
  }

  /** As systemd ends it; or at once, as a crash. */
  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    this.started.child.kill(signal);
    await this.started.finished;
  }
}
