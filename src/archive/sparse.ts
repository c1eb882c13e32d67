import { readSync } from 'node:fs';

/** Part of a file that holds data. */
export interface Piece {
  readonly offset: number;
  readonly size: number;
}

/** Holes are looked for in blocks of this size. */
const block = 4096;
const chunk = 1 << 20;
const pieceSize = 16;
const headSize = 16;
/** A file of more pieces is written with its zeros. */
export const mostPieces = 1 << 20;

/** The pieces of a file that are not zeros; undefined: they are too many. Blocks. */
export function piecesOf(descriptor: number, size: number): Piece[] | undefined {
  const buffer = Buffer.alloc(Math.min(chunk, size));
  const zeros = Buffer.alloc(block);
  const pieces: { offset: number; size: number }[] = [];
  for (let at = 0; at < size;) {
    const count = readSync(descriptor, buffer, 0, Math.min(buffer.length, size - at), at);
    if (count === 0) break;
    for (let from = 0; from < count; from += block) {
      const part = buffer.subarray(from, Math.min(from + block, count));
      if (part.equals(zeros.subarray(0, part.length))) continue;
      const last = pieces.at(-1);
      if (last !== undefined && last.offset + last.size === at + from) last.size += part.length;
      else pieces.push({ offset: at + from, size: part.length });
    }
    if (pieces.length > mostPieces) return undefined;
    at += count;
  }
  return pieces;
}

/** The head of a sparse file's member: its size, the number of pieces, and these. */
export function encodePieces(size: number, pieces: readonly Piece[]): Buffer {
  const head = Buffer.alloc(headSize + pieces.length * pieceSize);
  head.writeBigUInt64LE(BigInt(size), 0);
  head.writeBigUInt64LE(BigInt(pieces.length), 8);
  for (const [i, piece] of pieces.entries()) {
    head.writeBigUInt64LE(BigInt(piece.offset), headSize + i * pieceSize);
    head.writeBigUInt64LE(BigInt(piece.size), headSize + i * pieceSize + 8);
  }
  return head;
}

/**
 * @param read gives the next bytes of the member
 * @returns undefined: they are not the pieces of a file of `size` bytes in a member of `stored` bytes
 */
export async function decodePieces(
  read: (bytes: number) => Promise<Buffer>,
  size: number,
  stored: number,
): Promise<Piece[] | undefined> {
  if (stored < headSize) return undefined;
  const head = await read(headSize);
  const count = Number(head.readBigUInt64LE(8));
  if (head.readBigUInt64LE(0) !== BigInt(size) || count > mostPieces) return undefined;
  if (stored < headSize + count * pieceSize) return undefined;
  const table = await read(count * pieceSize);
  const pieces: Piece[] = [];
  let [end, data] = [0, 0];
  for (let i = 0; i < count; i++) {
    const piece = {
      offset: Number(table.readBigUInt64LE(i * pieceSize)),
      size: Number(table.readBigUInt64LE(i * pieceSize + 8)),
    };
    if (piece.offset < end || piece.size === 0 || piece.offset + piece.size > size) return undefined;
    end = piece.offset + piece.size;
    data += piece.size;
    pieces.push(piece);
  }
  return stored === headSize + table.length + data ? pieces : undefined;
}
