import { display } from '../../../base/bytes.js';
import type { BytePath } from '../../../base/bytes.js';
import { limits } from '../../../base/limits.js';
import type { Limit } from '../../../base/limits.js';
import { beyond, unsafe, unsupported } from './errors.js';
import type { Header } from './header.js';
import { blockSize } from './header.js';
import { decimal, fieldNumber } from './numbers.js';
import type { ExtendedHeader, PaxRecords } from './records.js';

/** Where the content of a sparse file lies in it; all else is holes (GNU tar manual, "Storing Sparse Files"). */
export interface SparseMap {
  readonly realSize: number;
  readonly pieces: readonly SparsePiece[];
}

export interface SparsePiece {
  readonly offset: number;
  readonly size: number;
}

/** An error that names the file and, if one is exceeded, the limit. */
type Say = (what: string, limit?: Limit) => Error;

const mostPieces = limits.sparsePieces.value;

/** The map of a GNU header of type `S`: four pieces in it, the others in blocks after it. `block` returns the next. */
export async function oldSparseMap(header: Header, path: BytePath, block: () => Promise<Buffer>): Promise<SparseMap> {
  const say = sayOf(path);
  if (header.isStar)
    throw unsupported(`${display(path)} is a sparse file in the form of star`, 'make the archive without -sparse');
  const pieces: SparsePiece[] = [];
  addPieces(header.block, 386, 4, pieces);
  let extended = header.block[482] !== 0;
  while (extended) {
    const next = await block();
    addPieces(next, 0, 21, pieces);
    if (pieces.length > mostPieces) throw tooMany(say);
    extended = next[504] !== 0;
  }
  return checked(pieces, fieldNumber(header.block, 483, 12), say);
}

function addPieces(block: Buffer, start: number, count: number, pieces: SparsePiece[]): void {
  for (let at = start; at < start + count * 24; at += 24) {
    if (block[at + 12] === 0) return;
    pieces.push({
      offset: fieldNumber(block, at, 12) ?? Number.NaN,
      size: fieldNumber(block, at + 12, 12) ?? Number.NaN,
    });
  }
}

/**
 * The map in the extended headers (the forms 0.0 and 0.1), 'inside' where the content begins with it (1.0), undefined
 * where the member is not sparse.
 */
export function recordedSparseMap(
  { records, sparsePairs }: ExtendedHeader,
  path: BytePath,
): SparseMap | 'inside' | undefined {
  const text = (key: string) => records.get(`GNU.sparse.${key}`)?.toString('latin1');
  const say = sayOf(path);
  if (text('major') !== undefined || text('minor') !== undefined) {
    const version = `${text('major') ?? '?'}.${text('minor') ?? '?'}`;
    if (version === '1.0') return 'inside';
    if (version !== '0.0' && version !== '0.1')
      throw unsupported(
        `${display(path)} is a sparse file in the unknown form ${display(version)}`,
        'make the archive without --sparse',
      );
  }
  const map = text('map');
  if (map === undefined && text('size') === undefined && sparsePairs.length === 0) {
    const other = [...records.keys()].find((key) => key.startsWith('GNU.sparse.') || key === 'SCHILY.realsize');
    if (other === undefined) return undefined;
    throw unsupported(
      `${display(path)} is a sparse file in an unknown form (${display(other)})`,
      'make the archive without holes (GNU tar: without --sparse)',
    );
  }
  const numbers = map === undefined ? sparsePairs.flat() : map === '' ? [] : map.split(',');
  if (numbers.length > mostPieces * 2) throw tooMany(say);
  if (numbers.length !== Number(text('numblocks') ?? Number.NaN) * 2) throw say('another number of pieces than stated');
  return checked(paired(numbers.map((each) => decimal(each) ?? Number.NaN)), realSizeOf(records), say);
}

/** GNU tar writes `size` in the forms 0, `realsize` in the form 1.0. */
function realSizeOf(records: PaxRecords): number | undefined {
  const size = records.get('GNU.sparse.size') ?? records.get('GNU.sparse.realsize');
  return decimal(size?.toString('latin1') ?? '');
}

const longestLine = 20;

/**
 * The map that the content of a 1.0 sparse file begins with: lines of one number, filled up to a whole block. `stored`
 * counts all that is stored, map and content.
 */
export async function insideSparseMap(
  { records }: ExtendedHeader,
  path: BytePath,
  block: () => Promise<Buffer>,
  stored: number,
): Promise<{ map: SparseMap; bytes: number }> {
  const say = sayOf(path);
  let text = '';
  let bytes = 0;
  const numbers: number[] = [];
  for (let wanted = 1; numbers.length < wanted;) {
    const end = text.indexOf('\n');
    if (end < 0) {
      if (text.length > longestLine || bytes + blockSize > stored) throw say('a malformed map');
      text += (await block()).toString('latin1');
      bytes += blockSize;
      continue;
    }
    const number = decimal(text.slice(0, end));
    text = text.slice(end + 1);
    if (number === undefined) throw say('a malformed map');
    if (numbers.length === 0) wanted += number * 2;
    if (wanted > mostPieces * 2 + 1) throw tooMany(say);
    numbers.push(number);
  }
  return { map: checked(paired(numbers.slice(1)), realSizeOf(records), say), bytes };
}

const sayOf =
  (path: BytePath): Say =>
  (what, limit) => {
    const text = `the sparse file ${display(path)} has ${what}`;
    return limit === undefined ? unsafe(text) : beyond(limit, text);
  };

const tooMany = (say: Say) => say('too many pieces', limits.sparsePieces);

function paired(numbers: readonly number[]): SparsePiece[] {
  const pieces: SparsePiece[] = [];
  for (let at = 0; at + 1 < numbers.length; at += 2)
    pieces.push({ offset: numbers[at] ?? Number.NaN, size: numbers[at + 1] ?? Number.NaN });
  return pieces;
}

/** Requires that the pieces are in order, disjoint, and within the file. */
function checked(pieces: readonly SparsePiece[], realSize: number | undefined, say: Say): SparseMap {
  if (realSize === undefined || !(realSize >= 0)) throw say('no size');
  // A few bytes of an archive may claim a huge size that is read later.
  if (realSize > limits.holes.value) throw say(`a size of ${realSize} bytes`, limits.holes);
  let end = 0;
  for (const { offset, size } of pieces) {
    if (!(offset >= end) || !(size >= 0) || !(offset + size <= realSize))
      throw say('pieces that overlap or lie beyond its end');
    end = offset + size;
  }
  return { realSize, pieces };
}
