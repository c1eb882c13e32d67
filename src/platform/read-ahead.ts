import { bytesOf, callAsync } from './addon.js';
import type { Path } from './addon.js';

const nul = Buffer.from([0]);
/** Files of one call: it costs more than opening a small one. */
const filesInCall = 64;
/** Calls under way at once: what is asked for beyond them is left to who reads it. */
const callsAtOnce = 4;
/** Of each file: behind that the kernel itself reads ahead. Bytes. */
const mostOfFile = 1 << 20;

/**
 * Brings files into memory that are read soon, on libuv's pool: who reads small files one after the other waits for the
 * disk at each. It guarantees nothing: of what cannot be opened nothing is said, for who reads it gets the error.
 */
export class ReadAhead {
  #next: Buffer[] = [];
  #underWay = 0;

  /** @param at of a file, valid until it is read */
  add(at: Path): void {
    this.#next.push(bytesOf(at), nul);
    if (this.#next.length >= filesInCall * 2) this.#send();
  }

  #send(): void {
    const list = Buffer.concat(this.#next);
    this.#next = [];
    if (this.#underWay >= callsAtOnce) return;
    this.#underWay += 1;
    const ended = () => (this.#underWay -= 1);
    const subject = { syscall: 'posix_fadvise' };
    callAsync({ operation: 'readAhead', subject, args: [list, mostOfFile] }).then(ended, ended);
  }
}

/** How far ahead files are asked for: enough for all calls at once. */
export const readAheadDistance = callsAtOnce * filesInCall;

/**
 * The same items in the same order, each while those behind it are brought into memory.
 * @param placeOf where the file of an item lies; undefined: it has none, or its place may not stay valid
 */
export function* readingAhead<T>(
  items: Iterable<T>,
  placeOf: (item: T) => Path | undefined,
): Generator<T, void, undefined> {
  const ahead = new ReadAhead();
  let waiting: T[] = [];
  for (const item of items) {
    const place = placeOf(item);
    if (place !== undefined) ahead.add(place);
    waiting.push(item);
    if (waiting.length < 2 * readAheadDistance) continue;
    yield* waiting.slice(0, readAheadDistance);
    waiting = waiting.slice(readAheadDistance);
  }
  yield* waiting;
}
