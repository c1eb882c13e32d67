import { readFile, stat } from 'node:fs/promises';
import { display, fromText, toBuffer, toText } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { damaged } from '../base/errors.js';
import { limits, overLimit } from '../base/limits.js';
import type { ReadSet } from '../changeset/index.js';
import { stageFile } from '../platform/durable.js';
import { isRecordedPath, parseRecord, recordLines } from './lines.js';

const readKinds = ['found', 'absent', 'listed', 'opened', 'link', 'xattr', 'whole'] as const;
/** What was read of a path (docs/format-driver.md, "Read set"). */
export type ReadKind = (typeof readKinds)[number];

/** A path that was read, relative to the mount's root. */
export interface ReadLine {
  readonly path: BytePath;
  readonly kinds: readonly ReadKind[];
}

/**
 * The lines of a read set that the driver wrote at the end of a mount (docs/format-driver.md).
 * @throws LaminaError damaged; refused, OVER_LIMIT: a procedure read more paths than fit in memory; ENOENT where there
 * is none
 */
export async function readLines(file: BytePath, limit = limits.readSet): Promise<ReadLine[]> {
  const { size } = await stat(toBuffer(file));
  if (size > limit.value)
    throw overLimit(
      limit,
      `the procedure looked at so many names that its read set ${display(file)} has ${size} bytes`,
      'apply the update with --always-run, which needs no read set',
    );
  const lines: ReadLine[] = [];
  let isWhole = false;
  for await (const { text, whole, number } of recordLines(file)) {
    if (!whole) throw notWhole(file);
    if (isWhole) lines.push(lineOf(parseRecord(text, isReadText, (cause) => damagedAt(file, number, cause))));
    else if (text === '{"version":1}') isWhole = true;
    else break;
  }
  if (!isWhole) throw notWhole(file);
  return lines;
}

interface ReadText {
  readonly path: string;
  readonly kinds: readonly ReadKind[];
}

const lineOf = ({ path, kinds }: ReadText): ReadLine => ({ path: fromText(path.slice(1)), kinds });

function isReadText(value: unknown): value is ReadText {
  if (typeof value !== 'object' || value === null) return false;
  const { path, kinds } = value as Record<string, unknown>;
  return isRecordedPath(path) && Array.isArray(kinds) && kinds.every((kind) => readKinds.includes(kind as ReadKind));
}

const damagedAt = (file: BytePath, line: number, cause: unknown) =>
  readSetDamaged(`the read set ${display(file)} is damaged: line ${line} is not an entry of a read set`, cause);
const notWhole = (file: BytePath) => readSetDamaged(`the read set ${display(file)} is incomplete`);

function readSetDamaged(what: string, cause?: unknown) {
  return damaged(what, {
    code: 'READ_SET_DAMAGED',
    hint: 'apply the update again; with --always-run no read set is needed',
    cause,
  });
}

/** @throws LaminaError as `readLines` */
export async function readReadSet(file: BytePath): Promise<ReadSet> {
  const seen = new Set<BytePath>();
  const listed = new Set<BytePath>();
  const whole = new Set<BytePath>();
  for (const { path, kinds } of await readLines(file)) {
    if (kinds.some((kind) => kind !== 'listed')) seen.add(path);
    if (kinds.includes('listed')) listed.add(path);
    if (kinds.includes('whole')) whole.add(path);
  }
  return { seen, listed, whole };
}

/**
 * Removes from a read set the names that the sandbox mounts over: the sandbox looked them up, and programs in it cannot
 * see what the mounts hide. All other lookups stay.
 */
export async function forgetMountedOver(file: BytePath, mountedOver: readonly BytePath[]): Promise<void> {
  const bytes = await readFile(toBuffer(file));
  let kept = bytes;
  for (const path of mountedOver) {
    const begin = Buffer.from(`\n{"path":${asWritten(`/${toText(path)}`)},`);
    // The first line is the header.
    for (let at = kept.indexOf(begin); at >= 0; at = kept.indexOf(begin, at)) {
      const end = kept.indexOf('\n', at + 1);
      kept = Buffer.concat([kept.subarray(0, at), end < 0 ? Buffer.alloc(0) : kept.subarray(end)]);
    }
  }
  if (kept !== bytes) stageFile(file, kept);
}

const codes: Readonly<Record<string, string>> = { b: '08', t: '09', n: '0a', f: '0c', r: '0d' };

/** A string as the driver writes it: every control character by its number. */
function asWritten(text: string): string {
  return JSON.stringify(text).replace(/\\(.)/g, (escape, letter: string) =>
    codes[letter] === undefined ? escape : `\\u00${codes[letter]}`,
  );
}
