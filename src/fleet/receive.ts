import { watch } from 'node:fs';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { toBuffer } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { LaminaError, messageOf } from '../base/errors.js';
import { limits } from '../base/limits.js';
import { warn } from '../base/this-command.js';
import type { Carrier } from '../channel/index.js';
import { MachineList, enroll, isEnrolled } from './enrolled.js';
import { listening } from './listening.js';
import { ReportWriter } from './report-writer.js';
import { readReport } from './report.js';

export interface ReceiveRequest {
  readonly host: string;
  readonly port: number;
  /** Where reports are written. */
  readonly carrier: Carrier;
  /** Holds the timestamp of the channel: each change of it is an event. */
  readonly metadata: BytePath;
  readonly machines: BytePath;
  /** Enroll each machine by its first report. */
  readonly trustNew: boolean;
  readonly signal: AbortSignal;
  /** Called with `http://HOST:PORT` once it listens. */
  readonly onListen: (address: string) => void;
}

export interface ReceiveData {
  readonly accepted: number;
  readonly refused: number;
}

const requestMs = 15_000;
const mostConnections = 20_000;
/** Those that listen to events stay connected: they must leave some for reports. */
const mostStreams = 18_000;
/** A comment in the stream of events: it keeps the connection open, and says so. */
const keepAliveMs = 30_000;
/** Several files change when a channel is published. */
const settleMs = 100;

/**
 * Takes reports by POST and writes those of enrolled machines to the channel; `GET /events` is a stream of server-sent
 * events, one for each change of the channel. Ends with the signal.
 * @throws LaminaError failed: it cannot listen, or not watch the channel
 */
export async function receive(request: ReceiveRequest): Promise<ReceiveData> {
  const receiver = new Receiver(request);
  return receiver.run();
}

class Receiver {
  readonly #streams = new Set<ServerResponse>();
  #accepted = 0;
  #refused = 0;
  #changed: NodeJS.Timeout | undefined;

  readonly #machines: MachineList;
  readonly #reports: ReportWriter;

  constructor(readonly request: ReceiveRequest) {
    this.#machines = new MachineList(request.machines);
    this.#reports = new ReportWriter(request.carrier);
  }

  async run(): Promise<ReceiveData> {
    const { signal, metadata, onListen, host, port } = this.request;
    const server = this.#server();
    const watcher = watch(toBuffer(metadata), () => {
      this.#changed ??= setTimeout(() => {
        this.#changed = undefined;
        this.#broadcast('event: changed\ndata: {}\n\n');
      }, settleMs);
    });
    const faults: unknown[] = [];
    const ended = new Promise<void>((resolve) => {
      signal.addEventListener('abort', () => {
        resolve();
      });
      watcher.on('error', (error) => {
        faults.push(error);
        resolve();
      });
    });
    const keepAlive = setInterval(() => {
      this.#broadcast(':\n\n');
    }, keepAliveMs);
    try {
      onListen(await listening(server, { host, port }));
      if (!signal.aborted) await ended;
    } finally {
      clearInterval(keepAlive);
      clearTimeout(this.#changed);
      watcher.close();
      server.closeAllConnections();
      server.close();
    }
    if (faults.length > 0) throw faults[0];
    return { accepted: this.#accepted, refused: this.#refused };
  }

  #server(): Server {
    const server = createServer({ requestTimeout: requestMs, headersTimeout: requestMs }, (request, response) => {
      this.#answer(request, response).catch((error: unknown) => {
        // Who has gone waits for no answer, and must not fill the log.
        if (request.errored !== null) return;
        warn(`a report could not be written: ${messageOf(error)}`);
        if (response.headersSent) response.destroy();
        else end(response, 500, 'the report could not be stored');
      });
    });
    server.maxConnections = mostConnections;
    return server;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = (request.url ?? '').split('?', 1)[0] ?? '';
    if (request.method === 'GET' && path === '/events') this.#stream(response);
    else if (request.method === 'POST' && path === '/reports') await this.#take(request, response);
    else end(response, 404, 'send reports by POST /reports; GET /events announces changes of the channel');
  }

  #stream(response: ServerResponse): void {
    if (this.#streams.size >= mostStreams) {
      end(response, 503, 'too many machines listen: poll the channel');
      return;
    }
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    response.write(':\n\n');
    this.#streams.add(response);
    response.on('close', () => {
      this.#streams.delete(response);
    });
  }

  /** A reader that does not read is left: it must not fill the memory. */
  #broadcast(text: string): void {
    for (const stream of this.#streams) if (!stream.write(text)) stream.destroy();
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { machines, trustNew, signal } = this.request;
    const bytes = await bodyOf(request, limits.machineReport.value);
    if (bytes === undefined) {
      this.#refused += 1;
      end(response, 413, 'the report is too long');
      return;
    }
    try {
      const report = readReport(bytes);
      const { machine, key } = report;
      if (!isEnrolled(this.#machines.read(), { id: machine, key })) {
        if (!trustNew) {
          this.#refused += 1;
          end(response, 403, `machine ${machine} is not enrolled`);
          return;
        }
        await enroll(machines, [key], 'first-use');
      }
      await this.#reports.write(report, bytes, signal);
      this.#accepted += 1;
      end(response, 204, '');
    } catch (error) {
      if (!(error instanceof LaminaError) || error.kind !== 'refused') throw error;
      this.#refused += 1;
      end(response, statuses[error.code] ?? 403, error.message);
    }
  }
}

/** Of refusals, by their codes. */
const statuses: Readonly<Record<string, number>> = { BAD_REPORT: 400, OLD_REPORT: 409 };

function end(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'content-type': 'text/plain' }).end(text === '' ? undefined : `${text}\n`);
}

/** Undefined: it is longer. */
async function bodyOf(request: IncomingMessage, most: number): Promise<Buffer | undefined> {
  const pieces: Buffer[] = [];
  let length = 0;
  // Else the connection would be closed before the answer.
  for await (const piece of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    length += piece.length;
    if (length > most) return undefined;
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}
