import { bytesOf, linesOf, mergeKeyed, putOnce, textOf, textOfLines } from './keyed.js';
import type { Records } from './keyed.js';
import { Clash, OtherFormat, quoted } from './outcome.js';
import type { Versions } from './outcome.js';

/** A file whose lines are records by themselves, in any order. */
export function mergeLineSets({ base, ours, theirs }: Versions): Uint8Array {
  return bytesOf(textOfLines(mergedLines(base, ours, theirs).values()));
}

function mergedLines(base: Uint8Array | undefined, ours: Uint8Array, theirs: Uint8Array): Map<string, string> {
  // A line is the same on all sides, so two sides never change one differently.
  return mergeKeyed(setOf(base), setOf(ours), setOf(theirs), (_key, _base, o) => o);
}

/** A line that occurs again is another record: comments and blank lines do. */
function setOf(bytes: Uint8Array | undefined): Records {
  const records = new Map<string, string>();
  const counts = new Map<string, number>();
  for (const line of linesOf(textOf(bytes))) {
    const count = (counts.get(line) ?? 0) + 1;
    counts.set(line, count);
    records.set(`${count} ${line}`, line);
  }
  return records;
}

/** dpkg's statoverride: `USER GROUP MODE PATH`, one of a path. @throws Clash, OtherFormat */
export const mergeStatOverrides = (versions: Versions): Uint8Array =>
  mergeByFile(versions, 1, ([line = '']) => /^\S+ \S+ \S+ (.+)$/.exec(line)?.[1]);

/** dpkg's diversions: a file, where it goes, and the package whose own one stays. @throws Clash, OtherFormat */
export const mergeDiversions = (versions: Versions): Uint8Array =>
  mergeByFile(versions, 3, (lines) => (lines.length === 3 ? lines[0] : undefined));

/** ucf's hashfile and registry: a checksum or a package, and a file. @throws Clash, OtherFormat */
export const mergeByPathOfLine = (versions: Versions): Uint8Array =>
  mergeByFile(versions, 1, ([line = '']) => /^\S+\s+(\/.*)$/.exec(line)?.[1]);

/** Records of `length` lines each. @param fileOf undefined: the lines are no record */
function mergeByFile(
  { base, ours, theirs }: Versions,
  length: number,
  fileOf: (lines: readonly string[]) => string | undefined,
): Uint8Array {
  const recordsOf = (version: Uint8Array | undefined) => {
    const records = new Map<string, string>();
    const lines = linesOf(textOf(version));
    for (let at = 0; at < lines.length; at += length) {
      const record = lines.slice(at, at + length);
      const file = fileOf(record);
      if (file === undefined) throw new OtherFormat('a line is not a record');
      putOnce(records, file, record.join('\n'));
    }
    return records;
  };
  const merged = mergeKeyed(recordsOf(base), recordsOf(ours), recordsOf(theirs), (file) => {
    throw new Clash(`what is set for ${quoted(file)} was changed by both`);
  });
  return bytesOf(textOfLines(merged.values()));
}

interface Range {
  readonly owner: string;
  readonly start: number;
  readonly end: number;
  readonly line: string;
}

/** subuid(5), subgid(5). @throws Clash: ranges that only one side each has overlap */
export function mergeSubordinates(versions: Versions): Uint8Array {
  const { base, ours, theirs } = versions;
  const lines = mergedLines(base, ours, theirs);
  const own = new Set(linesOf(textOf(ours)));
  const other = new Set(linesOf(textOf(theirs)));
  const ranges = [...lines.values()].flatMap(rangeOf).sort((a, b) => a.start - b.start);
  // Of the ranges that one side alone has, up to here, those that reach furthest.
  const furthest = new Map<boolean, Range>();
  for (const range of ranges) {
    const isOwn = own.has(range.line);
    if (isOwn && other.has(range.line)) continue;
    const across = furthest.get(!isOwn);
    if (across !== undefined && range.start < across.end)
      throw new Clash(
        `ids from ${range.start} on would belong to both ${quoted(across.owner)} and ${quoted(range.owner)}`,
      );
    if (range.end > (furthest.get(isOwn)?.end ?? -1)) furthest.set(isOwn, range);
  }
  return bytesOf(textOfLines(lines.values()));
}

function rangeOf(line: string): Range[] {
  const [, owner = '', start = '', count = ''] = /^([^:#]+):(\d{1,10}):(\d{1,10})$/.exec(line) ?? [];
  return owner === '' ? [] : [{ owner, start: Number(start), end: Number(start) + Number(count), line }];
}
