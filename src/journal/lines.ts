import { isUtf8 } from 'node:buffer';
import { createReadStream } from 'node:fs';
import { isBytesText, toBuffer } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';

/** A line of what the driver recorded, without its newline. */
export interface RecordLine {
  /** Undefined where it is not UTF-8, or is longer than any that the driver writes. */
  readonly text: string | undefined;
  /** False of a last line that has no newline: its driver was killed. */
  readonly whole: boolean;
  /** In the file, from 1. */
  readonly number: number;
}

/** Two paths of the longest kind (docs/format.md, "Limits"), each byte escaped. Bytes. */
const longestLine = 1 << 20;
const newline = 0x0a;

/**
 * The lines of a file: they end at newlines only, because a name may hold any other character that ends lines
 * elsewhere.
 * @throws SystemError
 */
export async function* recordLines(file: BytePath): AsyncGenerator<RecordLine> {
  let begun: Buffer[] = [];
  let length = 0;
  let number = 0;
  for await (const chunk of createReadStream(toBuffer(file)) as AsyncIterable<Buffer>) {
    let at = 0;
    for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, at)) {
      begun.push(chunk.subarray(at, end));
      yield { text: textOf(begun, length + end - at), whole: true, number: ++number };
      begun = [];
      length = 0;
      at = end + 1;
    }
    if (at === chunk.length) continue;
    length += chunk.length - at;
    // The rest of a line that is too long is dropped.
    if (length <= longestLine) begun.push(chunk.subarray(at));
  }
  if (length > 0) yield { text: textOf(begun, length), whole: false, number: number + 1 };
}

function textOf(parts: readonly Buffer[], length: number): string | undefined {
  if (length > longestLine) return undefined;
  const [only = Buffer.alloc(0)] = parts;
  const bytes = parts.length > 1 ? Buffer.concat(parts) : only;
  return isUtf8(bytes) ? bytes.toString('utf8') : undefined;
}

/**
 * The value that a line holds as JSON.
 * @param fault the error for a line that is not JSON, or not a value of this kind
 */
export function parseRecord<T>(
  line: string | undefined,
  isValid: (value: unknown) => value is T,
  fault: (cause: unknown) => Error,
): T {
  let cause: unknown;
  try {
    const value: unknown = line === undefined ? undefined : JSON.parse(line);
    if (isValid(value)) return value;
  } catch (error) {
    cause = error;
  }
  throw fault(cause);
}

/** Whether a value is a path as the driver writes it: from the root of the mount, one name after the other. */
export function isRecordedPath(value: unknown): value is string {
  if (!isRecordedText(value) || !value.startsWith('/')) return false;
  return value === '/' || !/\/(?:\.{1,2})?(?:\/|$)/.test(value);
}

/** Whether a value is the text of bytes without a NUL. */
export function isRecordedText(value: unknown): value is string {
  return typeof value === 'string' && !value.includes('\0') && isBytesText(value);
}
