import fc from 'fast-check';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodePieces, encodePieces, piecesOf } from '../../../src/archive/sparse.js';

describe('a file with holes', () => {
  let directory: string;
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'lamina-sparse-'));
  });
  afterAll(() => {
    rmSync(directory, { recursive: true });
  });

  const reading = (bytes: Buffer) => {
    let at = 0;
    return (count: number) => Promise.resolve(bytes.subarray(at, (at += count)));
  };

  it('is its pieces, with zeros between them', async () => {
    const runs = fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 1, max: 20_000 })), { maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(runs, async (parts) => {
        const content = Buffer.concat(parts.map(([filled, size]) => Buffer.alloc(size, filled ? 'x' : 0)));
        const file = join(directory, 'file');
        writeFileSync(file, content);
        const descriptor = openSync(file, 'r');
        const pieces = piecesOf(descriptor, content.length) ?? [];
        closeSync(descriptor);
        const head = encodePieces(content.length, pieces);
        const stored = head.length + pieces.reduce((sum, { size }) => sum + size, 0);
        const again = await decodePieces(reading(head), content.length, stored);
        expect(again).toEqual(pieces);
        const made = Buffer.alloc(content.length);
        for (const { offset, size } of pieces) readFileSync(file).copy(made, offset, offset, offset + size);
        expect(made.equals(content)).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  it.each<[string, number, [number, number][], number]>([
    ['of another size', 101, [[0, 10]], 42],
    ['beyond its end', 100, [[95, 10]], 42],
    [
      'one over another',
      100,
      [
        [0, 10],
        [5, 10],
      ],
      68,
    ],
    ['without data', 100, [[0, 0]], 32],
    ['of other data than are stored', 100, [[0, 10]], 41],
  ])('is refused: pieces %s', async (_, size, pieces, stored) => {
    const head = encodePieces(
      100,
      pieces.map(([offset, length]) => ({ offset, size: length })),
    );
    expect(await decodePieces(reading(head), size, stored)).toBeUndefined();
  });

  it('is refused where its head is cut off, or counts too many pieces', async () => {
    expect(await decodePieces(reading(Buffer.alloc(0)), 1, 8)).toBeUndefined();
    const head = encodePieces(100, []);
    head.writeBigUInt64LE(1n << 40n, 8);
    expect(await decodePieces(reading(head), 100, 1 << 30)).toBeUndefined();
  });
});
