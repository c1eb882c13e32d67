import type { BytePath } from '../base/bytes.js';
import { toText } from '../base/bytes.js';
import { thrownError } from '../app/json/thrown-error.js';
import { failed, refused } from '../base/errors.js';
import { isRecord, jsonOf } from '../base/json.js';
import { distFile } from '../platform/install.js';
import { runProcess } from '../platform/process.js';

/** Milliseconds that a command may take, bytes that it may print, and how many run at once and wait. */
const patience = 60_000;
const longestDocument = 128 << 20;
const mostRunning = 2;
const mostWaiting = 50;
/** How many milliseconds documents that are read in parts are kept, and how many of them. */
const keptFor = 20_000;
const mostKept = 8;
/** Bytes of all that is kept, as it was printed: in memory it takes several times as much. */
const mostKeptBytes = longestDocument;

interface Kept {
  readonly at: number;
  readonly size: number;
  readonly document: object;
}

/**
 * Runs commands that read in separate processes, and returns their documents. They read content of containers: that may
 * take long, or all memory, and must neither stop the server nor delay other requests.
 */
export class CommandReader {
  #running = 0;
  readonly #waiting: (() => void)[] = [];
  readonly #shared = new Map<string, Promise<object>>();
  readonly #kept = new Map<string, Kept>();
  readonly #sizes = new WeakMap<object, number>();

  constructor(readonly root: BytePath) {}

  /** @throws LaminaError as the command; refused: too many wait */
  async read(...words: readonly string[]): Promise<object> {
    const key = JSON.stringify(words);
    const present = this.#shared.get(key);
    if (present !== undefined) return present;
    const document = this.#inTurn(async () => this.#run(words)).finally(() => {
      this.#shared.delete(key);
    });
    this.#shared.set(key, document);
    return document;
  }

  /**
   * As `read`, for a document that is requested in parts: later parts come from the same document as the first.
   * @param stamp other than before where the document must be read again; @param isFirst the first part is requested
   */
  async readForParts(stamp: string, isFirst: boolean, ...words: readonly string[]): Promise<object> {
    const key = JSON.stringify([stamp, ...words]);
    const now = Date.now();
    for (const [each, { at }] of this.#kept) if (now - at > keptFor) this.#kept.delete(each);
    const kept = this.#kept.get(key);
    if (kept !== undefined && !isFirst) return kept.document;
    const document = await this.read(...words);
    this.#kept.delete(key);
    const size = this.#sizes.get(document) ?? 0;
    for (const [oldest] of this.#kept)
      if (this.#kept.size >= mostKept || this.#keptBytes + size > mostKeptBytes) this.#kept.delete(oldest);
    this.#kept.set(key, { at: now, size, document });
    return document;
  }

  get #keptBytes(): number {
    return [...this.#kept.values()].reduce((sum, { size }) => sum + size, 0);
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running >= mostRunning) {
      if (this.#waiting.length >= mostWaiting)
        throw refused('too many requests are waiting', { code: 'BUSY', hint: 'try again in a minute' });
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    this.#running += 1;
    try {
      return await work();
    } finally {
      this.#running -= 1;
      this.#waiting.shift()?.();
    }
  }

  async #run(words: readonly string[]): Promise<object> {
    const printed: Buffer[] = [];
    let size = 0;
    const tooLong = new AbortController();
    const { ended, exitCode } = await runProcess({
      command: process.execPath,
      args: [distFile('lamina.js'), '--store', toText(this.root), '--json', ...words],
      timeoutMs: patience,
      signal: tooLong.signal,
      onOutput: (chunk, stream) => {
        if (stream === 'stderr') return;
        size += chunk.length;
        if (size > longestDocument) tooLong.abort();
        else printed.push(chunk);
      },
    });
    if (ended !== 'by-itself') {
      const why = ended === 'timeout' ? `it takes longer than ${patience / 1000} s` : 'it is too large';
      throw refused(`no answer is possible: ${why}`, {
        code: 'OVER_LIMIT',
        hint: `run the command on the server: lamina ${words.join(' ')}`,
      });
    }
    const document = documentOf(Buffer.concat(printed).toString('utf8'), exitCode, words[0] ?? '');
    this.#sizes.set(document, size);
    return document;
  }
}

/**
 * What a command printed with --json, without the version of its format.
 * @throws LaminaError the error that it printed
 */
export function documentOf(printed: string, exitCode: number, command: string): object {
  const document = jsonOf(printed);
  if (!isRecord(document)) throw failed(`lamina ${command} ended with ${exitCode} and printed no document`);
  const { formatVersion: _, ...data } = document;
  if (isRecord(data['error'])) throw thrownError(data['error'], exitCode);
  return data;
}
