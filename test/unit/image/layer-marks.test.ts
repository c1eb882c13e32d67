import { mkdirSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { join, toBuffer } from '../../../src/base/bytes.js';
import { limits } from '../../../src/base/limits.js';
import { LayerMarks } from '../../../src/image/layer/marks.js';
import { importTar } from '../../../src/store/index.js';
import { UnpackBounds } from '../../../src/store/import/unpack-bounds.js';
import { writeTar } from '../../support/tar-writer.js';
import type { Member } from '../../support/tar-writer.js';
import { temporaryDirectory } from '../platform/temporary.js';

const at = temporaryDirectory();
let count = 0;

async function marksOf(members: readonly Member[], entries: number): Promise<LayerMarks> {
  const place = at(`layer${(count += 1)}`);
  mkdirSync(toBuffer(place));
  writeFileSync(toBuffer(join(place, 'tar')), writeTar(members));
  const marks = new LayerMarks();
  const { names, entryAttributes, treeAttributes, holes } = limits;
  const most = { entries: { ...limits.entries, value: entries }, names, entryAttributes, treeAttributes, holes };
  await importTar(join(place, 'tar'), join(place, 'tree'), { limits: most }, { special: marks.take, isLayer: true });
  return marks;
}

const named = (names: readonly string[]) => names.map((name): Member => ({ name }));
const link = (name: string, linkname: string): Member => ({ name, type: '1', linkname });

describe('the marks of a layer', () => {
  it('are read wherever they stand, and however they are named', async () => {
    const marks = await marksOf(
      named(['.wh.a', 'd/.wh..wh..opq', '.wh..wh.aufs', '.wh..wh.plnk/1.2', '/d/.wh.b', '.wh..wh..opq', '.wh. x']),
      100,
    );
    expect([...marks.whiteouts]).toEqual(['a', 'd/b', ' x']);
    expect([...marks.opaque]).toEqual(['d', '']);
  });

  it('count as entries, for they take memory', async () => {
    const many = named(Array.from({ length: 50 }, (_, i) => `.wh.${i}`));
    expect((await marksOf(many, 50)).whiteouts.size).toBe(50);
    await expect(marksOf(many, 49)).rejects.toMatchObject({ code: 'OVER_LIMIT' });
    const links = Array.from({ length: 50 }, (_, i) => link(`l${i}`, 'below'));
    expect((await marksOf(links, 50)).links.size).toBe(50);
    await expect(marksOf(links, 49)).rejects.toMatchObject({ code: 'OVER_LIMIT' });
    // One that takes the place of another counts once.
    expect((await marksOf([...links, ...links], 50)).links.size).toBe(50);
  });
});

describe('links to files of the layers below', () => {
  const paths = (marks: LayerMarks) => [...marks.links.values()].map(({ path }) => path).sort();

  it('go with a directory that a later member replaces', async () => {
    const links = ['d/e/a', 'd/b', 'd2/a', 'x/a'].map((path) => link(path, 'below'));
    expect(paths(await marksOf([...links, { name: 'd' }], 100))).toEqual(['d2/a', 'x/a']);
    expect(paths(await marksOf([...links, { name: 'd', type: '2', linkname: 'x' }], 100))).toEqual(['d2/a', 'x/a']);
    expect(paths(await marksOf([...links, link('d', 'below')], 100))).toEqual(['d', 'd2/a', 'x/a']);
    const again = [{ name: 'd/e' }, { name: 'd', type: '5' }, link('d/e/c', 'below')];
    await expect(marksOf([...links, ...again], 100)).resolves.toMatchObject({ links: { size: 4 } });
  });

  it('count with the directories that they are in, until they are replaced', async () => {
    const deep = link('a/b/c/l', 'below');
    await expect(marksOf([deep], 3)).rejects.toMatchObject({ code: 'OVER_LIMIT' });
    expect(paths(await marksOf([deep], 4))).toEqual(['a/b/c/l']);
    expect(paths(await marksOf([deep, { name: 'a' }, link('b/b/c/l', 'below'), { name: 'b' }], 6))).toEqual([]);
  });
});

describe('files that a layer only links to', () => {
  it('count to what it unpacks to', () => {
    const bounds = new UnpackBounds({ called: 'the layer', size: 10, most: undefined, free: 1000 });
    bounds.add(300);
    bounds.addCopied(600);
    expect(() => bounds.addCopied(1)).toThrow(/the layer unpacks to more than 900 bytes; the limit 'unpacked size'/);
  });
});
