import { linkSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { dirname, display, join, toBuffer } from '../../../src/base/bytes.js';

import type { Listing } from '../../../src/changeset/index.js';
import { setXattrSync } from '../../../src/platform/native.js';
import { entrySize, field, header, headerSize, none } from '../../../src/store/node-index/layout.js';
import { readStoredIndex } from '../../../src/store/node-index/reader.js';
import { scanTree, xxh64 } from '../../../src/store/node-index/scan.js';
import { encodeIndex } from '../../../src/store/node-index/writer.js';
import { cases, changed, changedInPlace, outcomeOf, valueOf } from '../../support/untrusted.js';
import { temporaryDirectory } from '../platform/temporary.js';

const at = temporaryDirectory();
const file = at('index');
const seeds: Buffer[] = [];

beforeAll(async () => {
  for (const version of [1, 2] as const) {
    const tree = at(`tree${String(version)}`);
    const path = (name: string) => toBuffer(join(tree, name));
    mkdirSync(path('d/e'), { recursive: true });
    for (const name of ['a', 'd/a', 'd/b', 'd/e/c']) writeFileSync(path(name), name);
    linkSync(path('d/a'), path('d/e/linked'));
    symlinkSync('d/a', path('link'));
    setXattrSync(join(tree, 'd/b'), 'user.one', Buffer.from('1'));
    setXattrSync(join(tree, 'd/b'), 'user.two', Buffer.from('22'));
    const entries = await scanTree(tree, { hash: 'both' });
    seeds.push(await encodeIndex(entries, version), await encodeIndex(entries.slice(0, 1), version));
  }
});

const seed = fc.nat().map((number) => seeds[number % seeds.length]!);
const numbers = fc.oneof(
  fc.constantFrom(0, 1, 2, 3, 7, 8, 127, 128, 255, 256, 0x7fff_ffff, 0x8000_0000, none - 1, none),
  fc.nat({ max: 300 }),
);
/** A number in an entry or in the header set to another. */
const placed = fc
  .tuple(fc.nat(), fc.constantFrom(...Object.values(field)), fc.boolean(), numbers)
  .map(([number, offset, inHeader, value]) => (bytes: Buffer): Buffer => {
    const made = Buffer.from(bytes);
    const ofHeader = Object.values(header).filter((each) => each > 8);
    const entry = headerSize + (number % Math.floor((made.length - headerSize) / entrySize)) * entrySize + offset;
    const where = inHeader ? ofHeader[number % ofHeader.length]! : entry;
    if (offset === field.nameLength || offset === field.flags) made.writeUInt16LE(value & 0xffff, where);
    else made.writeUInt32LE(value, where);
    return made;
  });
const edits = fc.array(fc.oneof({ arbitrary: placed, weight: 3 }, changedInPlace(['/', '..', '\0', 'd/a'])), {
  minLength: 1,
  maxLength: 4,
});

/** With the length and the checksum that such bytes must have, so that more than these is looked at. */
async function sealed(bytes: Buffer): Promise<Buffer> {
  const made = Buffer.from(bytes);
  if (made.length < headerSize) return made;
  made.writeBigUInt64LE(BigInt(made.length), header.fileSize);
  made.writeBigUInt64LE(await xxh64(made.subarray(headerSize)), header.checksum);
  return made;
}

function check(listing: Listing, length: number): void {
  let count = 0;
  let bytes = 0;
  for (const entry of listing.entries()) {
    const { path, size, target, xattrs } = entry;
    count += 1;
    const names = path.split('/');
    if (path !== '')
      expect(names.every((name) => name !== '' && name !== '.' && name !== '..' && name.length <= 255)).toBe(true);
    expect(path.includes('\0')).toBe(false);
    if (path === '') expect(entry.type).toBe('directory');
    else {
      expect(listing.get(dirname(path))?.type).toBe('directory');
      expect(listing.names(dirname(path))).toContain(names.at(-1));
    }
    expect(Number.isSafeInteger(size) && size >= 0 && entry.mode <= 0o7777).toBe(true);
    if (entry.group >= 0) expect(listing.group(entry.group)).toContain(path);
    bytes += target.length + (names.at(-1) ?? '').length;
    for (const [name, value] of xattrs)
      expect(name !== '' && !name.includes('\0') && name.length + value.length <= length).toBe(true);
  }
  // Each entry takes its place in the file, and a name or target is no longer than that.
  expect(count * entrySize).toBeLessThanOrEqual(length);
  expect(bytes).toBeLessThanOrEqual(count * length);
}

describe('an index with other bytes and the right checksum', () => {
  it('is a listing of possible names in directories, or damaged', async () => {
    let read = 0;
    await fc.assert(
      fc.asyncProperty(seed, edits, async (bytes, some) => {
        const made = await sealed(some.reduce((all, edit) => edit(all), bytes));
        writeFileSync(toBuffer(file), made);
        const stored = valueOf(await outcomeOf(() => readStoredIndex(file)), display(file));
        if (stored === undefined) return;
        read += 1;
        check(stored.listing, made.length);
        for (const path of stored.oldContents.keys()) expect(stored.listing.get(path)?.type).toBe('file');
      }),
      cases(1500),
    );
    // More than what the checks refuse was tried.
    expect(read).toBeGreaterThan(0);
  });

  it('or of another length, is damaged or a listing', async () => {
    await fc.assert(
      fc.asyncProperty(seed, changed(['LAMINAIX', '\0\0\0\0']), async (bytes, edit) => {
        const made = await sealed(edit(bytes));
        writeFileSync(toBuffer(file), made);
        const stored = valueOf(await outcomeOf(() => readStoredIndex(file)), display(file));
        if (stored !== undefined) check(stored.listing, made.length);
      }),
      cases(500),
    );
  });

  it.each([
    ['a name with a slash', 'd', '/'],
    ['a name with a NUL', 'd', '\0'],
    ['the name .', 'd', '.'],
  ])('is damaged where it has %s', async (_, name, other) => {
    const bytes = Buffer.from(seeds[2]!);
    const strings = Number(bytes.readBigUInt64LE(header.strings));
    const end = strings + Number(bytes.readBigUInt64LE(header.stringsLength));
    bytes.write(other, bytes.subarray(strings, end).indexOf(name) + strings, 'latin1');
    writeFileSync(toBuffer(file), await sealed(bytes));
    await expect(readStoredIndex(file)).rejects.toMatchObject({ code: 'INDEX_DAMAGED' });
  });

  it('is damaged where an entry is of no type that there is, and the error names the file', async () => {
    const bytes = Buffer.from(seeds[2]!);
    bytes.writeUInt32LE(0o644, headerSize + entrySize + field.mode);
    writeFileSync(toBuffer(file), await sealed(bytes));
    await expect(readStoredIndex(file)).rejects.toMatchObject({
      code: 'INDEX_DAMAGED',
      message: expect.stringContaining(display(file)) as string,
    });
  });
});
