import { execFileSync } from 'node:child_process';
import { copyFileSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { World, buildTiny, differences, mayMount } from '../support/lamina.js';
import { membersOf, writeArchive } from '../support/store-archives.js';
import type { Member } from '../support/tar-writer.js';

/** Each is refused with its reason, and the store is as it was. */
describe.skipIf(!mayMount)('an archive of a store that is wrong', () => {
  let here: World;
  let bare: World;
  let archive: string;

  beforeAll(async () => {
    here = new World('archived');
    bare = new World('bare');
    archive = here.path('web.lamina');
    for (const world of [here, bare]) await world.run('init');
    await here.run('base', 'import', 'tiny', buildTiny(here.path('tiny')));
    for (const name of ['web', 'db']) await here.run('create', name, '--base', 'tiny');
    await here.inside('web', 'echo mine >/etc/mine');
    await here.run('update', 'apply', 'tiny', here.script('up', 'cat /etc/mine >/etc/up || true'), '--name', 'up');
    await here.run('export', 'web', `store-archive:${archive}`, '--also', 'db');
    // Of what is in the archive the base layer stays here.
    await here.run('rollback', 'up');
  });
  afterAll(() => {
    for (const world of [here, bare]) world.remove();
  });

  const changed = (change: (bytes: Buffer) => void) => {
    const file = here.path('bad.lamina');
    copyFileSync(archive, file);
    const bytes = readFileSync(file);
    change(bytes);
    writeFileSync(file, bytes);
    return file;
  };
  const flipped = (find: string, after = 0) =>
    changed((bytes) => {
      const at = bytes.indexOf(find) + after;
      bytes[at] = (bytes[at] ?? 0) ^ 1;
    });
  const cut = (size: (bytes: number) => number) => {
    const file = here.path('bad.lamina');
    copyFileSync(archive, file);
    truncateSync(file, size(readFileSync(archive).length));
    return file;
  };
  const remade = (change: (members: Member[]) => Member[]) =>
    writeArchive(here.path('bad.lamina'), change(membersOf(archive)));
  const described = (change: (description: Record<string, unknown>) => object) =>
    remade(([first, ...others]) => {
      const description = JSON.parse(String(first?.content)) as Record<string, unknown>;
      return [{ ...first!, content: `${JSON.stringify(change(description))}\n` }, ...others];
    });
  const at = (members: readonly Member[], ending: RegExp) => members.findIndex(({ name }) => ending.test(name));
  const replaced = (ending: RegExp, change: (member: Member) => Member) =>
    remade((members) => members.with(at(members, ending), change(members[at(members, ending)]!)));
  const text = (content: string | Buffer) => {
    writeFileSync(here.path('bad.lamina'), content);
    return here.path('bad.lamina');
  };

  /** The base layer with the index of a storage. */
  const swapped = () =>
    remade((members) => {
      const [first, second] = members.filter(({ name }) => /^nodes\/[sb].*\/index$/.test(name));
      return members.map((each) => (each === first ? { ...each, content: second!.content! } : each));
    });

  /** Behind the digest, and the last byte of its header's checksum. */
  it.each([1, 1024, 1025, 1400, 2048 - 155])(
    'of which the bit of a byte is another, %d before its end',
    async (before) => {
      const bad = changed((bytes) => {
        const at = bytes.length - before;
        bytes[at] = (bytes[at] ?? 0) ^ 1;
      });
      const { code, stderr } = await bare.attempt('import', bad);
      expect([code, stderr]).toEqual([1, expect.stringMatching(/is corrupt/)]);
      expect((await bare.json<{ containers: unknown[] }>('status')).containers).toEqual([]);
    },
  );

  it.each<[string, () => string, number, RegExp]>([
    ['is not there', () => here.path('none'), 3, /there is no archive at/],
    ['a directory', () => here.directory, 1, /is not an archive of a store/],
    ['an empty file', () => text(''), 1, /is corrupt|is not an archive/],
    ['a text', () => text('no archive\n'.repeat(500)), 1, /is not an archive of a store/],
    [
      'another tar',
      () => text(execFileSync('tar', ['-cf', '-', '-C', here.path('tiny'), 'etc'])),
      1,
      /is not an archive/,
    ],
    ['of a newer version', () => described((each) => ({ ...each, version: 2 })), 4, /has version 2/],
    [
      'with a newer manifest',
      () => described((each) => ({ ...each, manifest: { ...(each['manifest'] as object), version: 99 } })),
      4,
      /a manifest of a version/,
    ],
    ['with an unknown field', () => described((each) => ({ ...each, more: 1 })), 1, /description is not valid/],
    [
      'of a store without root',
      () => described((each) => ({ ...each, manifest: { ...(each['manifest'] as object), marks: 'user' } })),
      4,
      /is of a store of a user without root/,
    ],
    [
      'whose manifest contradicts itself',
      () => described((each) => ({ ...each, manifest: { ...(each['manifest'] as object), nodes: {} } })),
      1,
      /contradicts itself/,
    ],
    ['cut short in its first member', () => cut(() => 700), 1, /is corrupt/],
    ['cut short in the middle', () => cut((size) => size >> 1), 1, /is corrupt/],
    ['cut short by its end', () => cut((size) => size - 2048), 1, /is corrupt: it ends before digest/],
    [
      'with one more byte',
      () => changed(() => undefined) && text(Buffer.concat([readFileSync(archive), Buffer.from('x')])),
      1,
      /something follows|its digest/,
    ],
    ['with a flipped byte in an index', () => flipped('LAMINAIX', 300), 1, /the index of .* is damaged/],
    ['with a flipped byte in a file', () => flipped('BusyBox is', 3), 1, /is not as its index says: its content/],
    ['with a flipped byte in a header', () => flipped('/files/', 7), 1, /is corrupt/],
    [
      'with another digest',
      () => changed((bytes) => bytes.write('0'.repeat(64), bytes.length - 1536)),
      1,
      /its digest does not match/,
    ],
    [
      'with a path out of it',
      () => replaced(/\/index$/, (each) => ({ ...each, name: '../../escaped' })),
      1,
      /holds \.\.\/\.\.\/escaped where/,
    ],
    [
      'with a symlink',
      () => replaced(/\/files\//, ({ name }) => ({ name, type: '2', linkname: '/etc/passwd' })),
      1,
      /is corrupt/,
    ],
    [
      'with files that nobody asked for',
      () => remade((members) => [...members, ...Array.from({ length: 10_000 }, (_, i) => ({ name: `more/${i}` }))]),
      1,
      /holds more\/0 where digest must be/,
    ],
    [
      'without a file',
      () => remade((members) => members.toSpliced(at(members, /\/files\//), 1)),
      1,
      /is corrupt: it holds/,
    ],
    ['with an index of another tree', swapped, 1, /is corrupt/],
  ])('%s', async (_, make, code, message) => {
    const before = bare.storeContent();
    const done = await bare.attempt('import', make());
    expect([done.code, done.stderr]).toEqual([code, expect.stringMatching(message)]);
    expect(differences(before, bare.storeContent())).toEqual(new Map());
  });

  it('with a layer that is in the store, and is another one', async () => {
    const before = here.storeContent();
    const done = await here.attempt('import', swapped(), '--as', 'tiny=bad', '--as', 'web=bad', '--as', 'db=worse');
    expect([done.code, done.stderr]).toEqual([4, expect.stringMatching(/base-layer b-.* with other content/)]);
    expect(differences(before, here.storeContent())).toEqual(new Map());
  });
});
