import type { FastifyReply } from 'fastify';
import type { ServerResponse } from 'node:http';
import { HttpRefusal } from './error-answer.js';
import { securityHeaders } from './guard.js';

/** Streams that are open at once, bytes that a slow reader may have outstanding, milliseconds between signs of life. */
const mostStreams = 2000;
const mostWaiting = 1 << 20;
const pause = 15_000;

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
  readonly #open = new Set<ServerResponse>();
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
    raw.write('retry: 2000\n\n');
    this.#open.add(raw);
    raw.on('error', () => raw.destroy());
    raw.on('close', () => {
      this.#open.delete(raw);
      if (this.#open.size > 0) return;
      clearInterval(this.#timer);
      this.#timer = undefined;
    });
    this.#timer ??= setInterval(() => {
      for (const each of this.#open) write(each, ': alive\n\n');
    }, pause);
    return {
      send: (event, id, data) => {
        write(raw, `event: ${event}\nid: ${id}\ndata: ${JSON.stringify(data)}\n\n`);
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
    clearInterval(this.#timer);
    for (const each of this.#open) each.destroy();
  }
}

function write(to: ServerResponse, text: string): void {
  if (to.writableLength > mostWaiting) to.destroy();
  else if (!to.writableEnded && !to.destroyed) to.write(text);
}
