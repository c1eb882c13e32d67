import { limits } from '../base/limits.js';
import { OtherFormat, TooLarge } from './outcome.js';

/** Records by their keys, in the order of the file. */
export type Records = ReadonlyMap<string, string>;

/**
 * A record that both sides changed, added or removed differently; undefined: there is none.
 * @throws Clash
 */
export type MergeRecord = (
  key: string,
  base: string | undefined,
  ours: string | undefined,
  theirs: string | undefined,
) => string | undefined;

/** Three versions of one value: what one side alone changed; `both` where they differ. */
export function pick<T>(base: T, ours: T, theirs: T, both: () => T): T {
  if (ours === theirs || theirs === base) return ours;
  return ours === base ? theirs : both();
}

/**
 * Merges by keys. The order is that of ours; what theirs added comes after the same record as there.
 * @throws Clash
 */
export function mergeKeyed(base: Records, ours: Records, theirs: Records, both: MergeRecord): Map<string, string> {
  const kept = new Map<string, string>();
  const added = new Map<string, string[]>();
  const merged = (key: string) => {
    const [b, o, t] = [base.get(key), ours.get(key), theirs.get(key)];
    return pick(b, o, t, () => both(key, b, o, t));
  };
  for (const key of ours.keys()) {
    const record = merged(key);
    if (record !== undefined) kept.set(key, record);
  }
  const news = new Map<string, string>();
  let before = '';
  for (const key of theirs.keys()) {
    if (ours.has(key)) {
      if (kept.has(key)) before = key;
      continue;
    }
    const record = merged(key);
    if (record === undefined) continue;
    news.set(key, record);
    const after = added.get(before);
    if (after === undefined) added.set(before, [key]);
    else after.push(key);
  }
  return ordered(kept, news, added);
}

/** @param added keys of `news` by the key after which they come; '': at the beginning */
function ordered(kept: Records, news: Records, added: ReadonlyMap<string, readonly string[]>): Map<string, string> {
  const result = new Map<string, string>();
  const add = (after: string) => {
    for (const key of added.get(after) ?? []) result.set(key, news.get(key) ?? '');
  };
  add('');
  for (const [key, record] of kept) {
    result.set(key, record);
    add(key);
  }
  return result;
}

/** Puts a record; a file with two of one key is not merged by keys. @throws OtherFormat */
export function putOnce(records: Map<string, string>, key: string, record: string): void {
  if (records.has(key)) throw new OtherFormat(`${key} occurs twice`);
  records.set(key, record);
}

const separators = new Set(Buffer.from('\n,|'));

/** One character a byte, so that every byte survives. @throws TooLarge */
export function textOf(bytes: Uint8Array | undefined): string {
  if (bytes === undefined) return '';
  let parts = 0;
  for (const byte of bytes) if (separators.has(byte)) parts += 1;
  if (parts > limits.mergedParts.value) throw new TooLarge(limits.mergedParts);
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}

export const bytesOf = (text: string): Uint8Array => Buffer.from(text, 'latin1');

/** Without their endings; the last may lack one. */
export function linesOf(text: string): string[] {
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  return lines;
}

export const textOfLines = (lines: Iterable<string>): string => [...lines].map((line) => `${line}\n`).join('');
