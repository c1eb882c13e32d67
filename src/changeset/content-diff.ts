import { isUtf8 } from 'node:buffer';
import { createTwoFilesPatch } from 'diff';
import { basename, toText } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { limitNamed, limits } from '../base/limits.js';
import { NoKeys, isSecret, keyChanges, keyFormatOf } from './key-diff.js';
import type { KeyChange, KeyFormat } from './key-diff.js';
import { sameTime } from './equality.js';
import type { Entry } from './model.js';

export type { KeyChange, KeyFormat } from './key-diff.js';

/** A file before or after a change. */
export interface FileContent {
  readonly size: number;
  /** BLAKE3, 64 hexadecimal digits. */
  readonly hash: string;
  /** Undefined where it is larger than the limit "compared file". */
  readonly bytes: Uint8Array | undefined;
}

/** How the content of a file changes. */
export type ContentDiff =
  | { readonly kind: 'keys'; readonly format: KeyFormat; readonly hidden: boolean; readonly keys: readonly KeyChange[] }
  /** A unified diff; `note` says why not by keys. */
  | { readonly kind: 'text'; readonly diff: string; readonly note: string | null }
  /** Shown by size and hash; `note` says why. */
  | {
      readonly kind: 'binary';
      readonly before: Omit<FileContent, 'bytes'> | null;
      readonly after: Omit<FileContent, 'bytes'> | null;
      readonly note: string | null;
    };

/** @param before undefined: there was no file; likewise `after` */
export function contentDiff(
  path: BytePath,
  before: FileContent | undefined,
  after: FileContent | undefined,
): ContentDiff {
  const name = toText(basename(path));
  const binary = (note: string | null): ContentDiff => ({
    kind: 'binary',
    before: summaryOf(before),
    after: summaryOf(after),
    note,
  });
  const [a, b] = [textOf(before), textOf(after)];
  if (a === undefined || b === undefined)
    return binary(
      isLarge(before) || isLarge(after) ? `too large to compare; ${limitNamed(limits.comparedFile)}` : null,
    );
  let note: string | null = null;
  const format = before === undefined || after === undefined ? undefined : keyFormatOf(name, b);
  try {
    if (format !== undefined) {
      return { kind: 'keys', format, hidden: isSecret(name), keys: keyChanges(name, format, a, b) };
    }
  } catch (error) {
    if (!(error instanceof NoKeys)) throw error;
    note = error.message;
  }
  if (isSecret(name)) return binary('its lines are secret');
  const diff = unified(toText(path), a, b, before === undefined, after === undefined);
  return diff === undefined
    ? binary(`too different to compare by lines; ${limitNamed(limits.comparedEdits)}`)
    : { kind: 'text', diff, note };
}

function summaryOf(content: FileContent | undefined): Omit<FileContent, 'bytes'> | null {
  return content === undefined ? null : { size: content.size, hash: content.hash };
}

function isLarge(content: FileContent | undefined): boolean {
  return content !== undefined && content.bytes === undefined;
}

/** The text; '' without a file; undefined where it is not text. */
function textOf(content: FileContent | undefined): string | undefined {
  if (content === undefined) return '';
  const { bytes } = content;
  if (bytes === undefined || bytes.includes(0) || !isUtf8(bytes)) return undefined;
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
}

function unified(path: string, a: string, b: string, added: boolean, deleted: boolean): string | undefined {
  const [from, to] = [added ? '/dev/null' : `a/${path}`, deleted ? '/dev/null' : `b/${path}`];
  const patch = createTwoFilesPatch(from, to, a, b, undefined, undefined, {
    context: 3,
    maxEditLength: limits.comparedEdits.value,
  });
  return patch?.replace(/^=+\n/, '');
}

/** The attributes that differ between two entries, for people: `mode 644 → 600`. */
export function attributeChanges(a: Entry, b: Entry): string[] {
  const rows: (readonly [string, string, string])[] = [
    ['type', a.type, b.type],
    ['mode', a.mode.toString(8), b.mode.toString(8)],
    ['owner', `${a.uid}:${a.gid}`, `${b.uid}:${b.gid}`],
    ['target', toText(a.target as BytePath), toText(b.target as BytePath)],
    ['xattrs', xattrNames(a), xattrNames(b)],
  ];
  if (!sameTime(a, b)) rows.push(['mtime', timeOf(a), timeOf(b)]);
  const changed = rows.filter(([, before, after]) => before !== after);
  return changed.map(
    ([name, before, after]) => `${name} ${before === '' ? 'none' : before} → ${after === '' ? 'none' : after}`,
  );
}

/** Seconds since the epoch, with nanoseconds if not zero. */
function timeOf({ mtimeNs }: Entry): string {
  const seconds = mtimeNs / 1_000_000_000n - (mtimeNs % 1_000_000_000n < 0n ? 1n : 0n);
  const rest = mtimeNs - seconds * 1_000_000_000n;
  return rest === 0n ? `${seconds}` : `${seconds}.${`${rest}`.padStart(9, '0')}`;
}

function xattrNames({ xattrs }: Entry): string {
  const values = [...xattrs].map(
    ([name, value]) => `${toText(name as BytePath)}=0x${Buffer.from(value).toString('hex')}`,
  );
  return values.sort().join(' ');
}
