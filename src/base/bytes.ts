import { isUtf8 } from 'node:buffer';
import type { BytePath } from './byte-path.js';

export type { BytePath };

/** The path of a tree's root within the tree. */
export const treeRoot = '' as BytePath;

const slash = '/';

const ascii = /^[\x00-\x7f]*$/;

export function fromBuffer(bytes: Uint8Array): BytePath {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1') as BytePath;
}

/** For system calls: Node and the addon take paths as Buffers. */
export function toBuffer(path: BytePath): Buffer {
  return Buffer.from(path, 'latin1');
}

/**
 * The bytes of a text: UTF-8, and U+DC80…U+DCFF standing alone for the bytes 80…FF (PEP 383, docs/format.md).
 * @throws RangeError where another lone surrogate stands, which no bytes have as their text.
 */
export function fromText(text: string): BytePath {
  if (ascii.test(text)) return text as BytePath;
  let bytes = '';
  for (const char of text) {
    const code = char.codePointAt(0) ?? 0;
    if (code < 0xd800 || code > 0xdfff) bytes += Buffer.from(char, 'utf8').toString('latin1');
    else if (code >= 0xdc80 && code <= 0xdcff) bytes += String.fromCharCode(code - 0xdc00);
    else throw new RangeError(`a lone surrogate (U+${code.toString(16).toUpperCase()}) cannot be part of a name`);
  }
  return bytes as BytePath;
}

/** Lone surrogates but U+DC80…U+DCFF. */
const noBytes = /[\ud800-\udc7f\udd00-\udfff]/u;

/** Whether `fromText` accepts a text. */
export function isBytesText(text: string): boolean {
  return !noBytes.test(text);
}

/** The text for JSON: UTF-8 decoded, each byte that is not part of it as U+DC80…U+DCFF. `fromText` undoes it. */
export function toText(path: BytePath): string {
  if (ascii.test(path)) return path;
  return decode(path, (byte) => String.fromCharCode(0xdc00 + byte));
}

// Would move the cursor, reorder or break the line of a terminal: control characters, line separators, bidi controls.

const unprintable = /[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]/gu;

/** For people: the text, with invalid bytes and what would upset a terminal as `\xNN`. A backslash stays as it is. */
export function display(path: BytePath | string): string {
  if (/^[\x20-\x7e]*$/.test(path)) return path;
  return decode(path as BytePath, escapedByte).replace(unprintable, escaped);
}

function escapedByte(byte: number): string {
  return `\\x${byte.toString(16).padStart(2, '0')}`;
}

function escaped(char: string): string {
  return [...Buffer.from(char, 'utf8')].map(escapedByte).join('');
}

/** For a line that a person may copy into a shell: `display`, quoted where a shell would split or expand it. */
export function shellWord(path: BytePath): string {
  const word = display(path);
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** A text with what would upset a terminal as `\\xNN`, but its line breaks and tabs. */
export function printable(text: string): string {
  return text.replace(unprintable, (char) => (char === '\n' || char === '\t' ? char : escaped(char)));
}

/** `path` as UTF-8; each byte that is not part of valid UTF-8 becomes `invalid(byte)`. */
function decode(path: BytePath, invalid: (byte: number) => string): string {
  const bytes = toBuffer(path);
  if (isUtf8(bytes)) return bytes.toString('utf8');
  let text = '';
  for (let at = 0; at < bytes.length;) {
    const length = sequenceLength(bytes, at);
    text += length === 0 ? invalid(bytes.readUInt8(at)) : bytes.toString('utf8', at, at + length);
    at += Math.max(length, 1);
  }
  return text;
}

/** Bytes of the valid UTF-8 sequence that begins at `at`, 0 where none does. */
function sequenceLength(bytes: Buffer, at: number): number {
  const lead = bytes.readUInt8(at);
  const length = lead < 0x80 ? 1 : lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;
  if (length === 0 || at + length > bytes.length) return 0;
  return isUtf8(bytes.subarray(at, at + length)) ? length : 0;
}

/** Joins with one `/` between; empty parts are left out. No normalising: `..` stays. */
export function join(...parts: readonly (BytePath | string)[]): BytePath {
  let path = '';
  for (const part of parts) {
    if (part === '') continue;
    if (path === '') path = part;
    else path = (path.endsWith(slash) ? path : path + slash) + (part.startsWith(slash) ? part.slice(1) : part);
  }
  return path as BytePath;
}

/** Everything before the last component: `/a` for `/a/b`, `/` for `/a`, the empty path for `a`. */
export function dirname(path: BytePath): BytePath {
  const at = path.lastIndexOf(slash);
  return (at > 0 ? path.slice(0, at) : at === 0 && path.length > 1 ? slash : at === 0 ? path : '') as BytePath;
}

/** The last component; empty of `/` and of the empty path. */
export function basename(path: BytePath): BytePath {
  return path.slice(path.lastIndexOf(slash) + 1) as BytePath;
}

/** Bytes of the longest name that Linux file systems hold (NAME_MAX). */
const longestName = 255;

/**
 * `name` with an ASCII ending, within the longest possible name: `name` is cut short for it, between characters if it
 * is UTF-8.
 */
export function nameWithEnding(name: string, ending: string): string {
  const most = longestName - ending.length;
  if (name.length <= most) return name + ending;
  let end = most;
  if (isUtf8(toBuffer(name as BytePath))) while ((name.charCodeAt(end) & 0xc0) === 0x80) end -= 1;
  return name.slice(0, end) + ending;
}

/** Components, without empty ones. */
export function components(path: BytePath): BytePath[] {
  return path.split(slash).filter((part) => part !== '') as BytePath[];
}

/** Whether `path` is truly below `directory` (not the directory itself). All is below `/` and the empty path. */
export function isBelow(path: BytePath, directory: BytePath): boolean {
  if (directory === '' || directory === slash) return path !== directory && path !== '';
  return path.length > directory.length && path.startsWith(directory) && path[directory.length] === slash;
}

/** Order of the bytes, as by memcmp: total, the same on every machine. For sorting. */
export function compareBytes(a: BytePath, b: BytePath): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
