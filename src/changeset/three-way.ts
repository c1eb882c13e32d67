import { diffArrays } from 'diff';
import { limits } from '../base/limits.js';

/** Why two contents cannot be merged. */
export type ConflictReason = 'no-base' | 'binary' | 'too-large' | 'too-different' | 'overlap';

/**
 * The result for a file that two sides changed. `same`: both made the same change; `ours`, `theirs`: the other left it
 * as it was; `merged`: text with the changes of both.
 */
export type ContentMerge =
  | { readonly kind: 'same' | 'ours' | 'theirs' | 'merged'; readonly content: Uint8Array }
  | { readonly kind: 'conflict'; readonly reason: ConflictReason };

/** Files larger than this are not merged by lines. Bytes. */
export const largestMerged = limits.mergedFile.value;

/** Lines that one side may add and remove: the time a comparison takes grows with it, to about a second. */
const mostEdits = limits.mergedEdits.value;

/**
 * Three-way merge of file content. Text (no NUL byte in any of the three) is merged by lines, whose endings belong to
 * them; every byte survives. Changes that overlap or touch are a conflict, unless they are the same (as in diff3 and
 * git).
 * @param base the common ancestor; undefined: there was none
 */
export function mergeContents(base: Uint8Array | undefined, ours: Uint8Array, theirs: Uint8Array): ContentMerge {
  if (equal(ours, theirs)) return { kind: 'same', content: ours };
  if (base === undefined) return { kind: 'conflict', reason: 'no-base' };
  if (equal(base, theirs)) return { kind: 'ours', content: ours };
  if (equal(base, ours)) return { kind: 'theirs', content: theirs };
  const all = [base, ours, theirs];
  if (all.some((bytes) => bytes.length > largestMerged)) return { kind: 'conflict', reason: 'too-large' };
  if (all.some((bytes) => bytes.includes(0))) return { kind: 'conflict', reason: 'binary' };
  const merged = mergeLines(linesOf(base), linesOf(ours), linesOf(theirs));
  if (typeof merged === 'string') return { kind: 'conflict', reason: merged };
  return { kind: 'merged', content: Buffer.from(merged.join(''), 'latin1') };
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

/** Lines with their endings; only the last one may lack it. One character a byte. */
function linesOf(bytes: Uint8Array): string[] {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
  return text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
}

/**
 * Lines of the base that a side has replaced, `end` exclusive; empty where it has only added some. `growth`: by how
 * many lines the side is longer for it.
 */
interface Hunk {
  readonly start: number;
  readonly end: number;
  readonly growth: number;
}

/** One side, read from the top. */
class Side {
  readonly #hunks: readonly Hunk[];
  #next = 0;
  /** The offset from a line's number in the base to its number here, after the hunks taken. */
  #shift = 0;

  constructor(
    readonly lines: readonly string[],
    hunks: readonly Hunk[],
  ) {
    this.#hunks = hunks;
  }

  /** Where the next change begins in the base. */
  get start(): number {
    return this.#hunks[this.#next]?.start ?? Infinity;
  }

  get shift(): number {
    return this.#shift;
  }

  /** Consumes the next change; returns its end in the base. */
  take(): number {
    const hunk = this.#hunks[this.#next++];
    this.#shift += hunk?.growth ?? 0;
    return hunk?.end ?? 0;
  }
}

function mergeLines(base: string[], ours: string[], theirs: string[]): string[] | ConflictReason {
  const ourHunks = hunksOf(base, ours);
  const theirHunks = hunksOf(base, theirs);
  if (ourHunks === undefined || theirHunks === undefined) return 'too-different';
  const sides = [new Side(ours, ourHunks), new Side(theirs, theirHunks)] as const;
  const merged: string[][] = [];
  let at = 0;
  for (;;) {
    const start = Math.min(sides[0].start, sides[1].start);
    merged.push(base.slice(at, start));
    if (start === Infinity) return merged.flat();
    const region = takeRegion(sides, start);
    if (region === undefined) return 'overlap';
    merged.push(region.lines);
    at = region.end;
  }
}

/**
 * Consumes all changes that touch one another from `start` on. Undefined: the sides changed these lines differently.
 */
function takeRegion(sides: readonly [Side, Side], start: number): { lines: string[]; end: number } | undefined {
  const before = sides.map(({ shift }) => shift);
  const changed = new Set<Side>();
  let end = start;
  for (let side = next(sides); side.start <= end; side = next(sides)) {
    changed.add(side);
    end = Math.max(end, side.take());
  }
  const texts = sides.map((side, i) => side.lines.slice(start + (before[i] ?? 0), end + side.shift));
  const [first = [], second = []] = texts.filter((_, i) => changed.has(sides[i] ?? sides[0]));
  if (changed.size === 2 && first.join('') !== second.join('')) return undefined;
  return { lines: first, end };
}

function next([a, b]: readonly [Side, Side]): Side {
  return b.start < a.start ? b : a;
}

/** What a side has changed; undefined where that is too much to merge. */
function hunksOf(base: string[], side: string[]): Hunk[] | undefined {
  const changes = diffArrays(base, side, { maxEditLength: mostEdits });
  if (changes === undefined) return undefined;
  const hunks: Hunk[] = [];
  let at = 0;
  let open: Hunk | undefined;
  for (const { count, added, removed } of changes) {
    if (!added && !removed) {
      if (open !== undefined) hunks.push(open);
      open = undefined;
      at += count;
      continue;
    }
    open ??= { start: at, end: at, growth: 0 };
    if (removed) at += count;
    open = { start: open.start, end: at, growth: open.growth + (added ? count : -count) };
  }
  if (open !== undefined) hunks.push(open);
  return hunks;
}
