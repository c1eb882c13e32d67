import { copyFileSync, mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { join as joined } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromText, join, toBuffer } from '../../../src/base/bytes.js';
import type { BytePath } from '../../../src/base/bytes.js';
import { TarRecorder, readTarRecord, remakeTar } from '../../../src/image/index.js';
import { importTar } from '../../../src/store/index.js';
import { writeTar } from '../../support/tar-writer.js';
import type { Member } from '../../support/tar-writer.js';
import { temporaryDirectory } from '../platform/temporary.js';

const at = temporaryDirectory();
let count = 0;

interface Recorded {
  readonly tree: BytePath;
  readonly tarHeaders: BytePath;
  readonly reproducible: boolean;
}

/** Imports a tar with its record. */
async function recorded(tar: Buffer, most: ConstructorParameters<typeof TarRecorder>[1] = {}): Promise<Recorded> {
  const place = at(`layer${(count += 1)}`);
  mkdirSync(toBuffer(place));
  const layer = { tree: join(place, 'tree'), tarHeaders: join(place, 'tar-headers') };
  writeFileSync(toBuffer(join(place, 'tar')), tar);
  const recorder = new TarRecorder(layer.tarHeaders, most);
  await importTar(
    join(place, 'tar'),
    layer.tree,
    {},
    {
      onBytes: { file: () => undefined, tar: recorder.chunk },
      onFile: recorder.file,
      onReplace: recorder.replaced,
      special: (path) => path.includes('.wh.'),
    },
  );
  return { ...layer, reproducible: recorder.finish() };
}

async function remade(layer: Recorded): Promise<Buffer> {
  const parts: Buffer[] = [];
  for (const part of remakeTar(layer)) parts.push(part);
  return Buffer.concat(parts);
}

async function roundTrip(tar: Buffer): Promise<void> {
  const layer = await recorded(tar);
  expect(layer.reproducible).toBe(true);
  expect(readTarRecord(layer)).toEqual({ reproducible: true, tarSize: tar.length });
  expect((await remade(layer)).equals(tar)).toBe(true);
}

const file = (name: string, content: string | Buffer): Member => ({ name, content });

describe('the record of a tar', () => {
  it('counts what is replaced, however small it is', async () => {
    const tar = writeTar([file('a', '1'), file('a', '2'), file('a', '3')]);
    expect((await recorded(tar, { replaced: 1024 })).reproducible).toBe(true);
    expect((await recorded(tar, { replaced: 1023 })).reproducible).toBe(false);
  });

  it.each<[string, readonly Member[]]>([
    ['files and directories', [{ name: 'd/', type: '5' }, file('d/a', 'content'), file('empty', '')]],
    ['large files', [file('large', Buffer.alloc(700_001, 'x')), file('small', 'y')]],
    ['a member that replaces another', [file('a', 'first'), file('b', 'other'), file('a', 'second')]],
    [
      'a directory with content that a link replaces',
      [{ name: 'd/', type: '5' }, file('d/a', 'lost'), { name: 'd', type: '2', linkname: 'e' }, file('d2', 'kept')],
    ],
    ['whiteouts, also with content', [file('.wh.gone', ''), file('d/.wh..wh..opq', 'odd content'), file('z', 'z')]],
    [
      'extended headers',
      [
        {
          name: 'x',
          content: 'data',
          pax: [
            ['SCHILY.xattr.user.a', 'b'],
            ['mtime', '1.5'],
          ],
        },
      ],
    ],
    ['a hard link to what is replaced', [file('a', 'one'), { name: 'b', type: '1', linkname: 'a' }, file('a', 'two')]],
  ])('makes it again: %s', async (_, members) => {
    await roundTrip(writeTar(members));
  });

  it('makes one again that has no end mark, or more behind it', async () => {
    const tar = writeTar([file('a', 'content')]);
    await roundTrip(Buffer.concat([tar, Buffer.from('what some writers leave behind'), Buffer.alloc(9000)]));
  });

  it.each(['gnu', 'posix'])(
    'makes one again with sparse files and long names, as GNU tar writes it: %s',
    async (format) => {
      const place = at(`source-${format}`).toString();
      mkdirSync(joined(place, 'n'.repeat(120)), { recursive: true });
      writeFileSync(joined(place, 'sparse'), 'begin');
      truncateSync(joined(place, 'sparse'), 5 << 20);
      writeFileSync(joined(place, 'sparse'), 'end', { flag: 'a' });
      writeFileSync(joined(place, 'n'.repeat(120), 'm'.repeat(150)), 'long');
      const tar = execFileSync('tar', ['-C', place, `--format=${format}`, '--sparse', '-c', '.'], {
        maxBuffer: 1 << 26,
      });
      expect(tar.length).toBeLessThan(100_000);
      await roundTrip(tar);
    },
  );

  it('makes random ones again', async () => {
    const name = fc.constantFrom('a', 'b', 'd/a', 'd/b', 'd/e/f', '.wh.a', 'd/.wh..wh..opq');
    const content = fc.oneof(fc.constant(''), fc.string({ maxLength: 600 }), fc.constant('y'.repeat(300_000)));
    const member = fc.record({ name, content }).map(({ name: path, content: text }) => file(path, text));
    const tail = fc.uint8Array({ maxLength: 3000 });
    const property = fc.asyncProperty(
      fc.array(member, { maxLength: 12, minLength: 1 }),
      tail,
      async (members, rest) => {
        const paths = members.map((each) => each.name);
        // A file is no directory of others.
        fc.pre(!paths.some((path) => paths.some((other) => other.startsWith(`${path}/`))));
        await roundTrip(Buffer.concat([writeTar(members), Buffer.alloc(512), rest]));
      },
    );
    await fc.assert(property, { numRuns: Number(process.env['LAMINA_PROPERTY_RUNS'] ?? 60) });
  });

  it('says so where there is too much that the tree does not have', async () => {
    const tar = writeTar([file('a', 'x'.repeat(2000)), file('a', 'y')]);
    const beyond = { 'replaced content': { replaced: 1999 }, 'tar headers': { headers: 1024 } };
    for (const most of Object.values(beyond)) {
      const layer = await recorded(tar, most);
      expect(layer.reproducible).toBe(false);
      expect(readTarRecord(layer)).toEqual({ reproducible: false, tarSize: tar.length });
      await expect(remade(layer)).rejects.toThrow(/cannot be made again/);
    }
    expect((await recorded(tar, { replaced: 2000 })).reproducible).toBe(true);
  });

  it('is not taken for sound where it was changed, or where the tree was', async () => {
    const layer = await recorded(writeTar([file('a', 'x'.repeat(2000)), file('b', 'y')]));
    const record = toBuffer(layer.tarHeaders).toString('latin1');
    const sound = readFileSync(record);
    for (const place of [0, 8, 20, 70, sound.length - 1]) {
      const changed = Buffer.from(sound);
      changed[place] = (changed[place] ?? 0) ^ 1;
      writeFileSync(record, changed);
      await expect(remade(layer)).rejects.toMatchObject({ code: 'TAR_RECORD_DAMAGED' });
    }
    copyFileSync('/dev/null', record);
    await expect(remade(layer)).rejects.toMatchObject({ code: 'TAR_RECORD_DAMAGED' });
    writeFileSync(record, sound);
    rmSync(toBuffer(join(layer.tree, 'a')).toString('latin1'));
    await expect(remade(layer)).rejects.toMatchObject({ code: 'TREE_DAMAGED' });
    rmSync(record);
    expect(readTarRecord({ tarHeaders: fromText(record) })).toBeUndefined();
  });
});
