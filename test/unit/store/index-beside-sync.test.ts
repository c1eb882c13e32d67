import {
  closeSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { BytePath } from '../../../src/base/bytes.js';
import type { NodeId } from '../../../src/manifest/index.js';
import { entrySize, field, headerSize } from '../../../src/store/node-index/layout.js';
import { scanTree } from '../../../src/store/node-index/scan.js';
import { encodeIndex } from '../../../src/store/node-index/writer.js';
import { writeIndexBeside } from '../../../src/store/sealed-index.js';

let place: string;
const at = (name: string) => join(place, name) as BytePath;
const node = () => ({ id: 'b-1' as NodeId, tree: at('tree'), index: at('index') });

beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), 'lamina-index-beside-'));
  mkdirSync(at('tree'));
  closeSync(openSync(at('tree/file'), 'w'));
  truncateSync(at('tree/file'), 1 << 20);
});
afterEach(() => {
  rmSync(place, { recursive: true, force: true });
});

it('has the block counts of after the sync, and is the index that is made after it', async () => {
  const before = lstatSync(at('tree/file')).blocks;
  let scanned = () => {};
  const scan = new Promise<void>((resolve) => (scanned = resolve));
  // What a file system allocates when it is synced.
  const sync = async () => {
    await scan;
    const file = openSync(at('tree/file'), 'r+');
    writeSync(file, Buffer.alloc(1 << 20), 0);
    closeSync(file);
  };
  const sealed = await writeIndexBeside(sync, node(), async () => {
    const entries = await scanTree(at('tree'), { hash: true });
    scanned();
    return entries;
  });
  expect(sealed).toMatchObject({ id: 'b-1', entries: 1, bytes: 1 << 20 });
  const after = lstatSync(at('tree/file')).blocks;
  expect(after).toBeGreaterThan(before);
  const index = readFileSync(at('index'));
  expect(index.readBigUInt64LE(headerSize + entrySize + field.blocks)).toBe(BigInt(after));
  // Times are those of the write and of the reading above.
  const times = [field.mtime, field.ctime, field.mtimeNs, field.ctimeNs, field.atime, field.atimeNs];
  const withoutTimes = (bytes: Buffer) => {
    for (const entry of [0, 1])
      for (const time of times)
        bytes.fill(0, headerSize + entry * entrySize + time, headerSize + entry * entrySize + time + 4);
    return bytes.subarray(headerSize).toString('hex');
  };
  expect(withoutTimes(index)).toBe(withoutTimes(await encodeIndex(await scanTree(at('tree'), { hash: true }))));
});

it('fails with the sync, and with the scan, and leaves nothing running', async () => {
  const scan = async () => scanTree(at('tree'), { hash: true });
  const failing = async () => Promise.reject(new Error('the disk is broken'));
  await expect(writeIndexBeside(failing, node(), scan)).rejects.toThrow('the disk is broken');
  let synced = false;
  const slow = async () => {
    await new Promise((resolve) => setTimeout(resolve, 20));
    synced = true;
  };
  const unreadable = async () => Promise.reject(new Error('cannot read'));
  await expect(writeIndexBeside(slow, node(), unreadable)).rejects.toThrow('cannot read');
  expect(synced).toBe(true);
});
