import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../base/errors.js';
import { limitNamed, limits } from '../base/limits.js';
import { shownUrl } from '../channel/index.js';
import { pollPause } from './schedule.js';

export interface EventOptions {
  readonly url: string;
  readonly signal: AbortSignal;
  /**
   * Called for each event, with its data; and with none when the stream begins, since what happened before that was not
   * heard. Must not throw.
   */
  readonly onEvent: (data: string) => void;
  /** Called when the stream cannot be read, once for each reason. */
  readonly onFault: (message: string) => void;
  /** Until the stream is opened again after it ended. */
  readonly pauseMs?: number;
}

const usualPauseMs = 5000;
/** A stream without any byte for this time counts as dead: servers send one every half minute or so. */
const silenceMs = 120_000;
/** Between two pieces of a stream that hold events. */
const paceMs = 100;

/** Listens to server-sent events until the signal; a stream that ends is opened again. Never throws. */
export async function listenToEvents({ url, signal, onEvent, onFault, pauseMs }: EventOptions): Promise<void> {
  let failures = 0;
  let reported = '';
  while (!signal.aborted) {
    try {
      await readStream(url, signal, (data) => {
        failures = 0;
        reported = '';
        onEvent(data);
      });
    } catch (error) {
      if (isAborted(signal)) return;
      const message = error instanceof Error && error.cause instanceof Error ? error.cause.message : messageOf(error);
      if (message !== reported) onFault(`events of ${shownUrl(new URL(url))}: ${message}`);
      reported = message;
    }
    const pause = pollPause({ intervalMs: pauseMs ?? usualPauseMs, failures }, Math.random());
    failures += 1;
    await sleep(pause, undefined, { signal }).catch(() => undefined);
  }
}

/** It may be aborted while something is awaited. */
const isAborted = (signal: AbortSignal): boolean => signal.aborted;

async function readStream(url: string, signal: AbortSignal, onEvent: (data: string) => void): Promise<void> {
  const silence = new AbortController();
  const timer = setTimeout(() => {
    silence.abort(new Error(`nothing was sent for ${silenceMs / 1000} s`));
  }, silenceMs);
  try {
    const response = await fetch(url, {
      headers: { accept: 'text/event-stream', 'accept-encoding': 'identity', 'cache-control': 'no-store' },
      redirect: 'error',
      signal: AbortSignal.any([signal, silence.signal]),
    });
    const type = response.headers.get('content-type') ?? '';
    if (!response.ok || response.body === null || !type.startsWith('text/event-stream')) {
      await response.body?.cancel();
      throw new Error(`the server answers ${response.status} ${type}, which is not an event stream`);
    }
    onEvent('');
    const events = new EventReader(onEvent);
    for await (const piece of response.body as unknown as AsyncIterable<Uint8Array>) {
      timer.refresh();
      // A server that sends events without end must not keep this machine busy: it is read at this pace.
      if (events.add(piece)) await sleep(paceMs, undefined, { signal });
    }
  } finally {
    clearTimeout(timer);
  }
}

/** Finds the events in the bytes of a stream (HTML, "Server-sent events"). Only their data is kept. */
export class EventReader {
  readonly #decoder = new TextDecoder();
  readonly #data: string[] = [];
  #line = '';
  /** Whether the line ends in a carriage return, which a newline may follow. */
  #isOpen = false;
  #length = 0;

  constructor(readonly onEvent: (data: string) => void) {}

  /**
   * @returns whether lines ended in it
   * @throws Error: a line, or the data of an event, is longer than any notification
   */
  add(piece: Uint8Array): boolean {
    const text = this.#decoder.decode(piece, { stream: true });
    const isWithin = !this.#isOpen && !/[\r\n]/.test(text);
    // A line that comes byte by byte is not searched again with each byte.
    const lines = isWithin ? [this.#line + text] : (this.#line + text).split(/\r\n|\n|\r(?!$)/);
    this.#line = lines.pop() ?? '';
    this.#isOpen = !isWithin && this.#line.endsWith('\r');
    for (const line of lines) this.#take(line);
    this.#check(this.#line.length);
    return lines.length > 0;
  }

  #take(line: string): void {
    this.#check(line.length);
    if (line === '') {
      if (this.#data.length > 0) this.onEvent(this.#data.splice(0).join('\n'));
      this.#length = 0;
      return;
    }
    const data = /^data(?:: ?(.*))?$/s.exec(line);
    if (data === null) return;
    this.#length += line.length;
    this.#data.push(data[1] ?? '');
  }

  #check(length: number): void {
    if (Math.max(length, this.#length) > limits.eventLine.value)
      throw new Error(`a line of the stream is too long; ${limitNamed(limits.eventLine)}`);
  }
}
