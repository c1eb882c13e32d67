import type { BigIntStats } from 'node:fs';
import type { BytePath } from '../base/bytes.js';
import { limits } from '../base/limits.js';
import { mergeContents } from '../changeset/index.js';
import { mergeByPath, mergeByStart, mergeRecords, telltaleBytes, tooLargeToMerge } from '../records/index.js';
import type { RecordMerge, Remaking } from '../records/index.js';
import type { Tree } from '../store/index.js';

/** A file, or another object that is not a directory, in one of the trees. */
export interface Version {
  readonly tree: Tree;
  readonly path: BytePath;
  readonly stats: BigIntStats;
}

/** Why records conflict. */
export interface Reason {
  readonly reason: string;
  /** Whether the root would contradict itself with either side's file. */
  readonly isBlocking: boolean;
}

/** Of a file that the container and the update have both changed. `own`: the container's stays. */
type Merge =
  | { readonly kind: 'merged'; readonly content: Uint8Array; readonly then?: Remaking }
  | { readonly kind: 'own' }
  | { readonly kind: 'made'; readonly then: Remaking }
  | { readonly kind: 'conflict'; readonly why: Reason | undefined };

interface Three {
  /** In the container. */
  readonly at: BytePath;
  readonly before: Version | undefined;
  readonly ours: Version;
  readonly theirs: Version;
}

/** @param byRecords whether files of known formats are merged by their records, and not by lines */
export function mergeVersions(three: Three, byRecords: boolean): Merge {
  const { at, before, ours, theirs } = three;
  const early = byRecords ? mergeByPath(at) : undefined;
  if (early !== undefined && early.kind !== 'conflict') return early;
  const all = [ours, theirs, ...(before === undefined ? [] : [before])];
  if (!all.every(({ stats }) => stats.isFile())) return { kind: 'conflict', why: undefined };
  const known = byRecords ? recordMerge(three, all) : undefined;
  if (known?.kind === 'conflict') return { kind: 'conflict', why: known };
  return known ?? lineMerge(three, all);
}

function recordMerge({ at, before, ours, theirs }: Three, all: readonly Version[]): RecordMerge | undefined {
  const early = mergeByStart(at, ours.tree.readStart(ours.path, telltaleBytes));
  if (early !== undefined) return early;
  if (all.some(({ stats }) => stats.size > limits.mergedRecords.value)) return tooLargeToMerge(at);
  const versions = { base: before && content(before), ours: content(ours), theirs: content(theirs) };
  return mergeRecords(at, versions);
}

/** Texts above this size are not merged. Bytes. */
const largestText = 8n << 20n;

function lineMerge({ before, ours, theirs }: Three, all: readonly Version[]): Merge {
  const conflict = { kind: 'conflict', why: undefined } as const;
  if (all.some(({ stats }) => stats.size > largestText)) return conflict;
  const result = mergeContents(before && content(before), content(ours), content(theirs));
  return result.kind === 'conflict' ? conflict : { kind: 'merged', content: result.content };
}

const content = ({ tree, path }: Version): Buffer => tree.read(path);
