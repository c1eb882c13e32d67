import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { fromBuffer, join, toBuffer } from '../../../../src/base/bytes.js';
import type { BytePath } from '../../../../src/base/bytes.js';
import { hashFilesSync } from '../../../../src/platform/hash.js';
import { getXattrSync } from '../../../../src/platform/native.js';
import { FileQueue, largestQueued } from '../../../../src/store/import/file-queue.js';
import { markNamespace } from '../../../../src/store/marks.js';
import { temporaryDirectory } from '../../platform/temporary.js';

const at = temporaryDirectory();
const attributes = {
  mode: 0o4750,
  uid: process.getuid?.() ?? 0,
  gid: process.getgid?.() ?? 0,
  mtimeNs: -1_500_000_000n,
  xattrs: new Map<string, Buffer>(),
};

function directory(name: string): BytePath {
  mkdirSync(toBuffer(at(name)));
  return at(name);
}

async function add(queue: FileQueue, tree: BytePath, name: string, content: Buffer, given = attributes): Promise<void> {
  const room = await queue.room(content.length);
  content.copy(room);
  queue.add(name as BytePath, toBuffer(join(tree, name)), room, given);
}

describe('a queue of files', () => {
  it('makes each with its content, attributes and hash, however many and however large', async () => {
    const tree = directory('many');
    const queue = new FileQueue();
    const sizes = [0, 1, 511, 4096, largestQueued, largestQueued - 1, ...Array.from({ length: 300 }, (_, i) => i * 97)];
    const content = (i: number) => Buffer.alloc(sizes[i] ?? 0, `content ${i} `);
    for (const i of sizes.keys()) await add(queue, tree, `f${i}`, content(i));
    await queue.settle();
    expect(queue.isBusy).toBe(false);
    for (const i of sizes.keys()) {
      const path = join(tree, `f${i}`);
      expect(readFileSync(path).equals(content(i))).toBe(true);
      const stats = statSync(path, { bigint: true });
      expect([stats.mode & 0o7777n, stats.mtimeNs]).toEqual([0o4750n, -1_500_000_000n]);
      expect(hashFilesSync([path], 'blake3')).toEqual([{ blake3: queue.hashes.get(`f${i}` as BytePath), xxh64: 0n }]);
    }
  });

  it('escapes what would be a mark, and keeps other attributes', async () => {
    const tree = directory('attributes');
    const queue = new FileQueue();
    const mark = `${markNamespace()}.overlay.opaque`;
    const escaped = `${markNamespace()}.overlay.overlay.opaque`;
    const value = Buffer.from([0, 255]);
    const xattrs = new Map([['user.a', value]]).set(mark, value);
    await add(queue, tree, 'f', Buffer.from('x'), { ...attributes, xattrs });
    await queue.settle();
    const path = join(tree, 'f');
    expect([getXattrSync(path, 'user.a'), getXattrSync(path, mark), getXattrSync(path, escaped)]).toEqual([
      value,
      undefined,
      value,
    ]);
  });

  it('waits for a file, and says which may not be there yet', async () => {
    const tree = directory('waiting');
    const queue = new FileQueue();
    await add(queue, tree, 'f', Buffer.from('x'));
    expect([queue.isWaiting('f' as BytePath), queue.isWaiting('g' as BytePath), queue.isBusy]).toEqual([
      true,
      false,
      true,
    ]);
    await queue.settle();
    expect([queue.isWaiting('f' as BytePath), queue.isBusy]).toEqual([false, false]);
  });

  it('fails for a name that is taken, leaves it as it was, and makes nothing after it', async () => {
    const tree = directory('taken');
    writeFileSync(join(tree, 'b'), 'old');
    const queue = new FileQueue();
    for (const name of ['a', 'b', 'c']) await add(queue, tree, name, Buffer.from('new'));
    await expect(queue.settle()).rejects.toMatchObject({
      code: 'WRITE_FAILED',
      message: expect.stringMatching(/^cannot write b: open on '.*': File exists \(EEXIST\)$/) as string,
    });
    await expect(queue.room(1)).rejects.toThrow('cannot write b');
    expect([readFileSync(join(tree, 'a'), 'utf8'), readFileSync(join(tree, 'b'), 'utf8')]).toEqual(['new', 'old']);
    expect(() => statSync(join(tree, 'c'))).toThrow('ENOENT');
  });

  it('makes nothing that it has not begun once it has ended', async () => {
    const tree = directory('ended');
    const queue = new FileQueue();
    await add(queue, tree, 'f', Buffer.from('x'));
    await queue.end();
    expect(() => statSync(join(tree, 'f'))).toThrow('ENOENT');
  });

  it('fails where a file that is to be hashed cannot be read', async () => {
    const queue = new FileQueue();
    queue.hash('f' as BytePath, toBuffer(at('nowhere')));
    await expect(queue.settle()).rejects.toThrow('ENOENT');
  });

  it('names the bytes of a path as they are', async () => {
    const tree = directory('bytes');
    const queue = new FileQueue();
    const name = fromBuffer(Buffer.from([0xff, 0x0a, 0x27]));
    await add(queue, tree, name, Buffer.from('x'));
    await queue.settle();
    expect(readFileSync(toBuffer(join(tree, name)), 'utf8')).toBe('x');
  });
});
