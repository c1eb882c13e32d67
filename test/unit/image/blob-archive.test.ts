import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { BytePath } from '../../../src/base/bytes.js';
import { fullName, isImageName } from '../../../src/image/docker-name.js';
import { BlobArchive } from '../../../src/image/out/blob-archive.js';
import { encodeHeader, fileHeader } from '../../../src/image/tar/header.js';

const tar = 'application/vnd.oci.image.layer.v1.tar';
const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

describe('an archive of blobs', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'lamina-blobs-'));
  });
  afterEach(() => {
    rmSync(directory, { recursive: true });
  });

  async function archive(fill: (archive: BlobArchive) => Promise<void>): Promise<Buffer> {
    const path = join(directory, 'archive.tar');
    const descriptor = openSync(path, 'wx');
    const made = new BlobArchive({ descriptor }, (_, digest) => `b/${digest.slice('sha256:'.length)}` as BytePath);
    await fill(made);
    made.end();
    closeSync(descriptor);
    return readFileSync(path);
  }
  const listed = () =>
    execFileSync('tar', ['-tf', join(directory, 'archive.tar')], { encoding: 'utf8' })
      .trim()
      .split('\n');
  const content = (name: string) =>
    execFileSync('tar', ['-xOf', join(directory, 'archive.tar'), name], { maxBuffer: 1 << 24 });

  it('has each blob once, by its digest, in the order in which they were asked for', async () => {
    const [first, second] = [Buffer.alloc(3_000_001, 1), Buffer.from('second')];
    const bytes = await archive(async (made) => {
      made.addDirectory('b' as BytePath);
      const options = { form: 'tar' as const };
      const layers = await Promise.all([
        made.addLayer([first], options),
        made.addLayer([second], options),
        made.addLayer([first.subarray(0, 7), first.subarray(7)], options),
      ]);
      expect(layers.map(({ descriptor }) => descriptor)).toEqual(
        [first, second, first].map((each) => ({ mediaType: tar, digest: `sha256:${sha256(each)}`, size: each.length })),
      );
      await made.addBytes('text/plain', Buffer.alloc(512));
      made.addFile('last' as BytePath, Buffer.from('end'));
    });
    expect(bytes.length % 512).toBe(0);
    expect(listed()).toEqual(['b/', ...[first, second, Buffer.alloc(512)].map((each) => `b/${sha256(each)}`), 'last']);
    for (const each of [first, second, Buffer.alloc(512)]) expect(content(`b/${sha256(each)}`).equals(each)).toBe(true);
    expect(content('last').toString()).toBe('end');
  });

  it('writes nothing more after a failure', async () => {
    await archive(async (made) => {
      const failing = (function* () {
        yield Buffer.from('a');
        throw new Error('gone');
      })();
      let asked = 0;
      const counted = (function* () {
        asked += 1;
        yield Buffer.from('b');
      })();
      const layers = [failing, counted].map(async (pieces) => made.addLayer(pieces, { form: 'tar' }));
      const outcomes = await Promise.allSettled(layers);
      expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
      expect(asked).toBe(0);
    });
  });

  it('has nothing of a blob that comes again last', async () => {
    const blob = Buffer.alloc(100_000, 7);
    const once = await archive(async (made) => {
      await made.addLayer([blob], { form: 'tar' });
    });
    rmSync(join(directory, 'archive.tar'));
    const twice = await archive(async (made) => {
      await made.addLayer([blob], { form: 'tar' });
      await made.addLayer([blob], { form: 'tar' });
    });
    expect(twice.equals(once)).toBe(true);
  });
});

describe('a header of one block', () => {
  it('is that of every other writer for sizes that ustar holds', () => {
    const plain = { uid: 0, gid: 0, mtimeNs: 0n, target: '', major: 0, minor: 0, xattrs: new Map<string, Buffer>() };
    const path = 'blob' as BytePath;
    for (const size of [0, 1, 8 ** 11 - 1])
      expect(fileHeader(path, size)).toEqual(encodeHeader({ ...plain, path, type: 'file', mode: 0o644, size }));
  });

  it('has a larger size in base 256', () => {
    // The content is missing: tar lists the member, and fails then.
    const input = fileHeader('blob' as BytePath, 9_000_000_000_000);
    expect(spawnSync('tar', ['-tvf', '-'], { input, encoding: 'utf8' }).stdout).toMatch(/9000000000000 .* blob$/m);
  });
});

describe('a name of an image', () => {
  it.each([
    ['debian', 'docker.io/library/debian:latest'],
    ['debian:12', 'docker.io/library/debian:12'],
    ['me/web', 'docker.io/me/web:latest'],
    ['localhost/web:1', 'localhost/web:1'],
    ['host:5000/a/b', 'host:5000/a/b:latest'],
  ])('%s is in full %s', (name, full) => {
    expect(fullName(name)).toBe(full);
    expect(isImageName(name)).toBe(true);
  });

  it.each(['', ':1', 'A', 'a//b', 'a:', 'a b', `a@sha256:${'0'.repeat(64)}`, 'a:b:c', '../a', `a:${'b'.repeat(129)}`])(
    '%j is none',
    (text) => {
      expect(isImageName(text)).toBe(false);
    },
  );
});
