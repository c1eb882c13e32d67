import { display } from './bytes.js';
import type { BytePath } from './bytes.js';

/**
 * What a program prints, as it comes, for a terminal: control characters, what is no UTF-8 and what reorders a line are shown as `\xNN`; only line breaks and tabs do what they do. A
 * carriage return begins a new line, so that nothing that was printed is covered.
 */
export class PrintableText {
  #rest = Buffer.alloc(0);
  #afterReturn = false;

  /** The text of what has come so far; a character that is not whole yet waits for its end. */
  add(chunk: Uint8Array): string {
    const bytes = Buffer.concat([this.#rest, chunk]);
    const end = bytes.length - unfinished(bytes);
    this.#rest = Buffer.from(bytes.subarray(end));
    return this.#shown(bytes.toString('latin1', 0, end));
  }

  /** What is left at the end. */
  end(): string {
    const rest = this.#rest.toString('latin1');
    this.#rest = Buffer.alloc(0);
    return this.#shown(rest);
  }

  #shown(bytes: string): string {
    if (bytes === '') return '';
    const begun = this.#afterReturn && bytes.startsWith('\n') ? bytes.slice(1) : bytes;
    this.#afterReturn = bytes.endsWith('\r');
    const parts = begun.replace(/\r\n?/g, '\n').split(/([\n\t])/);
    return parts.map((part) => (part === '\n' || part === '\t' ? part : display(part as BytePath))).join('');
  }
}

/** Bytes at the end that begin a character of UTF-8 and do not end it. */
function unfinished(bytes: Buffer): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back] ?? 0;
    if (byte >= 0xc0) return back < (byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2) ? back : 0;
    if (byte < 0x80) return 0;
  }
  return 0;
}
