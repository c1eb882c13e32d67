import { writeSync } from 'node:fs';
import { isSystemError, messageOf } from '../base/errors.js';

export type StreamName = 'stdout' | 'stderr';

const descriptors = { stdout: 1, stderr: 2 } as const;
/** Milliseconds between tries to write to a reader that is slow, where the parent process made its end non-blocking. */
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
let isClosed = false;
let onClosed: () => void = () => undefined;

/**
 * Writes to standard output or error, in order, before it returns. It never throws: a failed write sets the exit code
 * (`lostOutput`), and where the reader has gone (EPIPE) the listener of `whenClosed` is called. After a failure a
 * stream writes nothing more.
 */
export function write(stream: StreamName, data: string | Uint8Array): void {
  if (ended.has(stream)) return;
  try {
    sink(stream, typeof data === 'string' ? Buffer.from(data) : data);
  } catch (error) {
    fail(stream, error);
  }
}

/**
 * Sends all output to `to`, for a program that runs commands within itself; undefined: back to the process's own
 * descriptors.
 */
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
  if (isSystemError(error, 'EPIPE')) {
    isClosed = true;
    onClosed();
  } else loss ??= { stream, message: messageOf(error) };
}

/** The stream for code that draws on a terminal. Its failures are treated as in `write`. */
export function terminalStream(): NodeJS.WriteStream {
  if (process.stderr.listenerCount('error') === 0) {
    process.stderr.on('error', (error) => {
      fail('stderr', error);
    });
  }
  return process.stderr;
}

/** `listener` is called when a reader has gone, also if it has already. */
export function whenClosed(listener: () => void): void {
  onClosed = listener;
  if (isClosed) listener();
}

/** The first failure to write, other than to a reader that has gone; undefined: none. */
export function lostOutput(): Loss | undefined {
  return loss;
}
