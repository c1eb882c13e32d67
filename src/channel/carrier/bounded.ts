import type { Carrier, Patience, ReadOptions } from './carrier.js';
import { CarrierFailure } from './failure.js';
import { withRetries } from './retry.js';

/**
 * The bytes of an answer, as long as they keep coming: within `idleMs` of each other, and not slower than
 * `bytesPerSecond` on the whole, so that a server which sends a byte now and then cannot hold a machine for ever.
 * @throws CarrierFailure CHANNEL_TIMEOUT (transient), CHANNEL_UNREACHABLE (transient): the connection broke off
 */
export async function* watched(
  bytes: AsyncIterable<Uint8Array>,
  what: string,
  patience: Patience,
  watch: { readonly cancel: () => void; readonly signal?: AbortSignal | undefined },
): AsyncGenerator<Uint8Array> {
  const iterator = bytes[Symbol.asyncIterator]();
  const start = performance.now();
  let received = 0;
  try {
    for (;;) {
      const step = await within(iterator.next(), patience.idleMs, what, watch);
      if (step.done === true) return;
      received += step.value.byteLength;
      const passed = performance.now() - start;
      if (passed > patience.idleMs && received < (passed / 1000) * patience.bytesPerSecond)
        throw tooSlow(what, received);
      yield step.value;
    }
  } finally {
    watch.cancel();
  }
}

/** The result of a step, if it comes within `ms` and before the signal. */
export async function within<T>(
  step: Promise<T>,
  ms: number,
  what: string,
  { cancel, signal }: { readonly cancel: () => void; readonly signal?: AbortSignal | undefined },
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  let aborted: (() => void) | undefined;
  const ended = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(
        new CarrierFailure('CHANNEL_TIMEOUT', `${what} sent nothing for ${Math.round(ms / 1000)} s`, {
          transient: true,
        }),
      );
    }, ms);
    aborted = () => {
      reject(signal?.reason as Error);
    };
    signal?.addEventListener('abort', aborted, { once: true });
  });
  try {
    return await Promise.race([step, ended]);
  } catch (error) {
    cancel();
    // The step that lost the race ends with an error of its own, which says no more.
    step.catch(() => undefined);
    if (error instanceof CarrierFailure || signal?.aborted === true) throw error;
    throw brokenOff(what, error);
  } finally {
    clearTimeout(timer);
    if (aborted !== undefined) signal?.removeEventListener('abort', aborted);
  }
}

function tooSlow(what: string, received: number): CarrierFailure {
  return new CarrierFailure('CHANNEL_TIMEOUT', `${what} sends too slowly: ${received} bytes so far`, {
    transient: true,
  });
}

function brokenOff(what: string, error: unknown): CarrierFailure {
  return new CarrierFailure('CHANNEL_UNREACHABLE', `${what} cannot be read: ${reasonOf(error)}`, {
    transient: true,
    cause: error,
  });
}

/** `fetch` says only "fetch failed"; the reason is in the cause, or in the causes of a failure of all addresses. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const inner: unknown = error instanceof AggregateError ? error.errors[0] : error.cause;
  return inner instanceof Error ? reasonOf(inner) : error.message;
}

/** At most `maxBytes`. @throws CarrierFailure CHANNEL_TOO_LONG at the first byte beyond */
export async function* bounded(
  bytes: AsyncIterable<Uint8Array>,
  what: string,
  maxBytes: number,
): AsyncGenerator<Uint8Array> {
  let left = maxBytes;
  for await (const piece of bytes) {
    left -= piece.byteLength;
    if (left < 0) throw tooLong(what, maxBytes);
    yield piece;
  }
}

/** Without the first `count` bytes. */
export async function* skip(bytes: AsyncIterable<Uint8Array>, count: number): AsyncGenerator<Uint8Array> {
  let left = count;
  for await (const piece of bytes) {
    if (left < piece.byteLength) yield left === 0 ? piece : piece.subarray(left);
    left = Math.max(0, left - piece.byteLength);
  }
}

/** Bytes in memory as an answer; none: it is empty. */
export async function* piecesOf(...pieces: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  for (const piece of pieces) yield await Promise.resolve(piece);
}

export function tooLong(what: string, maxBytes: number): CarrierFailure {
  return new CarrierFailure('CHANNEL_TOO_LONG', `${what} is longer than the ${maxBytes} bytes that are allowed`);
}

/** A whole small file. */
export type Small =
  | { readonly status: 'unchanged' | 'absent' }
  | {
      readonly status: 'found';
      readonly bytes: Buffer;
      readonly etag?: string | undefined;
      readonly date?: Date | undefined;
    };

/**
 * Reads a small file into memory; temporary failures are retried.
 * @throws as `Carrier.read`
 */
export async function readSmall(carrier: Carrier, path: string, options: Omit<ReadOptions, 'from'>): Promise<Small> {
  return withRetries(carrier.patience, options.signal, async () => {
    const read = await carrier.read(path, options);
    if (read.status !== 'found') return { status: read.status };
    const pieces: Uint8Array[] = [];
    for await (const piece of read.bytes) pieces.push(piece);
    return { status: 'found', bytes: Buffer.concat(pieces), etag: read.etag, date: read.date };
  });
}
