import type { FastifyReply } from 'fastify';
import type { ServerResponse } from 'node:http';
import { HttpRefusal } from './error-answer.js';
import { securityHeaders } from './guard.js';

/** Streams that are open at once, and bytes that a slow reader may have outstanding. */
const mostStreams = 2000;
const mostWaiting = 1 << 20;
/** Milliseconds between signs of life, and for which a reader may take nothing of what waits for it. */
const pause = 15_000;
const patience = 30_000;

export interface Stream {
  /** Sends an event. A reader that is too slow is cut off: it comes back, and says what it had last. */
  send(event: string, id: string, data: object): void;
  /** Whether the reader has taken what was sent. */
  readonly isDrained: boolean;
  end(): void;
  onClose(listener: () => void): void;
}

/** Server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html). */
export class EventStreams {
  /** With when the reader took something last. */
  readonly #open = new Map<ServerResponse, number>();
  #timer: NodeJS.Timeout | undefined;

  get count(): number {
    return this.#open.size;
  }

  /** Takes over the answer to a request. @throws HttpRefusal 503: there are too many streams */
  open(reply: FastifyReply): Stream {
    if (this.#open.size >= mostStreams)
      throw new HttpRefusal(503, 'BUSY', 'too many streams of events are open', 'close some pages');
    reply.hijack();
    const { raw } = reply;
    raw.writeHead(200, {
      ...securityHeaders,
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
    });
    this.#open.set(raw, Date.now());
    raw.on('error', () => raw.destroy());
    raw.on('close', () => {
      this.#open.delete(raw);
      if (this.#open.size === 0) this.#rest();
    });
    this.#write(raw, 'retry: 2000\n\n');
    this.#timer ??= setInterval(() => {
      this.#tick();
    }, pause);
    return {
      send: (event, id, data) => {
        this.#write(raw, `event: ${event}\nid: ${id}\ndata: ${JSON.stringify(data)}\n\n`);
      },
      get isDrained() {
        return raw.writableLength === 0;
      },
      end: () => raw.end(),
      onClose: (listener) => raw.on('close', listener),
    };
  }

  /** Ends all of them. */
  close(): void {
    this.#rest();
    for (const each of this.#open.keys()) each.destroy();
  }

  #tick(): void {
    const now = Date.now();
    for (const [each, taken] of this.#open) {
      if (each.writableLength > 0 && now - taken > patience) each.destroy();
      else this.#write(each, ': alive\n\n');
    }
  }

  #rest(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #write(to: ServerResponse, text: string): void {
    if (to.writableLength > mostWaiting) to.destroy();
    if (to.writableEnded || to.destroyed) return;
    to.write(text, (error) => {
      if (!(error instanceof Error) && this.#open.has(to)) this.#open.set(to, Date.now());
    });
  }
}
