import { manifestPieces } from '../manifest/index.js';
import type { Manifest, SerialisedManifest } from '../manifest/index.js';

/** A manifest with its text, and the bytes of that. */
export interface LoadedManifest extends SerialisedManifest {
  readonly bytes: Buffer;
}

/** More pieces take longer to write one by one than to put together. */
const mostPieces = 64;

/** The bytes of manifest.json in pieces: those of rows that did not change are the old ones, and not copied. */
export function manifestBytes(manifest: Manifest, before?: LoadedManifest): Buffer[] {
  // Where each character is a byte, the places of the text are those of its bytes.
  const old = before !== undefined && before.bytes.length === before.text.length ? before : undefined;
  const pieces: Buffer[] = [];
  let made = '';
  for (const piece of manifestPieces(manifest, old)) {
    if (typeof piece === 'string') {
      made += piece;
      continue;
    }
    pieces.push(Buffer.from(made), old?.bytes.subarray(piece.begin, piece.end) ?? Buffer.alloc(0));
    made = '';
  }
  pieces.push(Buffer.from(made));
  return pieces.length > mostPieces ? [Buffer.concat(pieces)] : pieces;
}
