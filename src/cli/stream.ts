import { writeSync } from 'node:fs';
import { isSystemError, messageOf } from '../base/errors.js';

export type StreamName = 'stdout' | 'stderr';

const descriptors = { stdout: 1, stderr: 2 } as const;
/** Milliseconds between tries to write to a reader that is slow, where whoever started us made its end non-blocking. */
const pause = 5;

interface Loss {
  readonly stream: StreamName;
  readonly message: string;
}

type Sink = (stream: StreamName, bytes: Uint8Array) => void;

const toDescriptor: Sink = (stream, bytes) => {
  writeAll(descriptors[stream], bytes);
};

const ended = new Set<StreamName>();
let sink = toDescriptor;
let loss: Loss | undefined;
let onClosed: () => void = () => undefined;

/**
 * Writes to standard output or error, in order, before it returns. It throws nothing: what cannot be written says itself in the exit code (`lostOutput`), and where the reader has
 * gone (EPIPE) whoever asked for it by `whenClosed` is told. After a failure a stream takes no more.
 */
export function write(stream: StreamName, data: string | Uint8Array): void {
  if (ended.has(stream)) return;
  try {
    sink(stream, typeof data === 'string' ? Buffer.from(data) : data);
  } catch (error) {
    fail(stream, error);
  }
}

/** Sends all output to `to`, for a program that runs commands within itself; undefined: to the process's own descriptors again. */
export function divert(to: Sink | undefined): void {
  sink = to ?? toDescriptor;
}

function writeAll(descriptor: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) {
    try {
      at += writeSync(descriptor, bytes, at);
    } catch (error) {
      if (!isSystemError(error, 'EAGAIN')) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, pause);
    }
  }
}

function fail(stream: StreamName, error: unknown): void {
  if (ended.has(stream)) return;
  ended.add(stream);
  if (isSystemError(error, 'EPIPE')) onClosed();
  else loss ??= { stream, message: messageOf(error) };
}

/** The stream for those that draw on a terminal. That it fails is treated as in `write`. */
export function terminalStream(): NodeJS.WriteStream {
  if (process.stderr.listenerCount('error') === 0) {
    process.stderr.on('error', (error) => {
      fail('stderr', error);
    });
  }
  return process.stderr;
}

/** `listener` is told when a reader has gone, also where that was before. */
export function whenClosed(listener: () => void): void {
  onClosed = listener;
}

/** What could not be written, other than to a reader that has gone; undefined: nothing. */
export function lostOutput(): Loss | undefined {
  return loss;
}
