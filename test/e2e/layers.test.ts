import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { World, buildTiny, differences, mayMount } from '../support/lamina.js';
import { writeTar } from '../support/tar-writer.js';
import type { Member } from '../support/tar-writer.js';

const conf = (lines: string[]) => lines.map((line) => `${line}\n`).join('');
const before = ['# settings', 'colour=red', 'size=1', 'shape=round', '# end'];
const changed = (at: number, line: string) => conf(before.map((each, i) => (i === at ? line : each)));

/** What the layer changes in a base that has /srv/{merge,same,clash,gone,bin}. */
const layer: Member[] = [
  { name: 'srv/', type: '5', mode: 0o755 },
  { name: 'srv/merge', content: changed(1, 'colour=blue') },
  { name: 'srv/same', content: 'new\n' },
  { name: 'srv/clash', content: 'theirs\n' },
  { name: 'srv/bin', content: 'theirs\0' },
  { name: 'srv/fresh', content: 'fresh\n' },
  { name: 'srv/.wh.gone' },
  { name: 'srv/.wh.absent' },
  { name: 'opt/box/.wh..wh..opq' },
  { name: 'opt/box/only', content: 'only\n' },
];

describe.runIf(mayMount)('updates that are layers', () => {
  let world: World;
  const containers = ['plain', 'own', 'removed', 'other'];

  beforeAll(async () => {
    world = new World('layers');
    const tiny = buildTiny(world.path('tiny'));
    const files = { merge: conf(before), same: 'old\n', clash: 'old\n', gone: 'old\n', bin: 'old\0' };
    for (const [name, content] of Object.entries(files)) writeFileSync(join(tiny, 'srv', name), content);
    mkdirSync(join(tiny, 'opt/box'));
    writeFileSync(join(tiny, 'opt/box/old'), 'old\n');
    await world.run('init');
    await world.run('base', 'import', 'tiny', tiny);
    for (const name of containers) await world.run('create', name, '--base', 'tiny');
    await world.mounted('own', (root) => {
      writeFileSync(join(root, 'srv/merge'), changed(3, 'shape=square'));
      writeFileSync(join(root, 'srv/clash'), 'mine\n');
      writeFileSync(join(root, 'srv/gone'), 'mine\n');
      writeFileSync(join(root, 'srv/bin'), 'mine\0');
      writeFileSync(join(root, 'srv/fresh'), 'mine\n');
      writeFileSync(join(root, 'opt/box/mine'), 'mine\n');
    });
    await world.inside('removed', 'rm /srv/merge /srv/same; echo old >/srv/clash');
    await world.inside('other', 'echo hi >/etc/hi');
  }, 240_000);
  afterAll(() => {
    world.remove();
  });

  function makeLayer(name: string, content: Buffer, fields: object = {}): string {
    const place = world.makeDirectory('packages', name);
    writeFileSync(join(place, 'layer.tar'), content);
    writeFileSync(
      join(place, 'update.json'),
      JSON.stringify({ version: 1, procedure: { layer: 'layer.tar' }, ...fields }),
    );
    return place;
  }

  const read = async (container: string) =>
    world.mounted(container, (root) => {
      const of = (name: string) => {
        try {
          return readFileSync(join(root, name), 'latin1');
        } catch {
          return undefined;
        }
      };
      const names = [
        'merge',
        'same',
        'clash',
        'gone',
        'bin',
        'fresh',
        'clash.lamina-new',
        'bin.lamina-new',
        'fresh.lamina-new',
      ];
      const inSrv = names.map((name) => [name, of(`srv/${name}`)] as const);
      const inBox = ['old', 'only', 'mine'].map((name) => [`box/${name}`, of(`opt/box/${name}`)] as const);
      return Object.fromEntries([...inSrv, ...inBox].filter(([, content]) => content !== undefined));
    });

  async function refused(code: number, says: RegExp, ...args: string[]): Promise<void> {
    const content = world.storeContent();
    const done = await world.attempt('update', 'apply', 'tiny', ...args);
    expect({ code: done.code, stderr: done.stderr }).toEqual({ code, stderr: expect.stringMatching(says) as string });
    expect([...differences(content, world.storeContent()).values()]).toEqual([]);
  }

  const theirs = {
    merge: changed(1, 'colour=blue'),
    same: 'new\n',
    clash: 'theirs\n',
    bin: 'theirs\0',
    fresh: 'fresh\n',
    'box/only': 'only\n',
  };
  const mine = {
    ...theirs,
    merge: conf(['# settings', 'colour=blue', 'size=1', 'shape=square', '# end']),
    'box/mine': 'mine\n',
  };

  it('are the delta layer, and are brought together with what containers have', async () => {
    const place = makeLayer('first', gzipSync(writeTar(layer)));
    await refused(4, /'(own|removed)' and the layer have both changed \/srv/, place, '--conflict', 'fail');
    const { update } = await world.json<{
      update: { effects: { container: string; outcome: string; conflicts: number }[] };
    }>(...['update', 'apply', 'tiny', place]);
    expect(
      Object.fromEntries(update.effects.map(({ container, outcome, conflicts }) => [container, [outcome, conflicts]])),
    ).toEqual({
      plain: ['skipped', 0],
      other: ['skipped', 0],
      removed: ['changed', 2],
      own: ['changed', 4],
    });
    expect(await read('plain')).toEqual(theirs);
    expect(await read('own')).toEqual({
      ...mine,
      clash: 'mine\n',
      gone: 'mine\n',
      bin: 'mine\0',
      fresh: 'mine\n',
      'clash.lamina-new': 'theirs\n',
      'bin.lamina-new': 'theirs\0',
      'fresh.lamina-new': 'fresh\n',
    });
    const { merge: _merge, same: _same, ...rest } = theirs;
    expect(await read('removed')).toEqual(rest);
    expect(await world.run('update', 'show', 'first')).toMatch(
      /in conflict in container own: \/srv\/bin, \/srv\/clash/,
    );
  });

  it('take or leave what both have changed, as is asked for', async () => {
    await world.run('rollback', 'first');
    const place = world.path('packages', 'first');
    await world.run('update', 'apply', 'tiny', place, '--conflict', 'ours');
    expect(await read('own')).toEqual({ ...mine, clash: 'mine\n', gone: 'mine\n', bin: 'mine\0', fresh: 'mine\n' });
    await world.run('rollback', 'first');
    await world.run('update', 'apply', 'tiny', place, '--conflict', 'theirs');
    expect(await read('own')).toEqual(mine);
    await world.run('rollback', 'first');
  });

  it.each<[string, RegExp, number, Member[]]>([
    ['traversal', /leads out of it/, 4, [{ name: '../x', content: 'x' }]],
    ['an absolute name', /absolute/, 4, [{ name: '/etc/x', content: 'x' }]],
    ['a hard link to outside', /which is not a file in it/, 4, [{ name: 'etc/x', type: '1', linkname: 'etc/passwd' }]],
    [
      'a way through a symlink',
      /is a symlink, but has members below it/,
      4,
      [
        { name: 'l', type: '2', linkname: '/etc' },
        { name: 'l/x', content: 'x' },
      ],
    ],
    [
      'a way through a symlink of the base',
      /has entries below var\/run, which is a symlink/,
      4,
      [{ name: 'var/run/x', content: 'x' }],
    ],
    ['a block device', /holds the device dev\/sda/, 4, [{ name: 'dev/sda', type: '4', major: 8, minor: 0 }]],
    ['a character device', /holds the device opt\/mem/, 4, [{ name: 'opt/mem', type: '3', major: 1, minor: 1 }]],
    ['a whiteout of no name', /an unknown kind of whiteout/, 4, [{ name: 'etc/.wh.' }]],
    ['a whiteout of ..', /an unknown kind of whiteout/, 4, [{ name: 'etc/.wh...' }]],
    ['a whiteout of aufs', /an unknown kind of whiteout/, 4, [{ name: '.wh..wh.plnk' }]],
    ['something in a whiteout', /an unknown kind of whiteout/, 4, [{ name: '.wh.a/b', content: 'x' }]],
  ])('hold no %s', async (_, says, code, members) => {
    await refused(code, says, makeLayer('bad', writeTar(members)));
  });

  it('are refused where their end is missing', async () => {
    const whole = writeTar(layer);
    const end = whole.length - 1024;
    for (const cut of [end, end - 300, 700])
      await refused(1, /the package's layer layer\.tar|breaks off/, makeLayer('cut', whole.subarray(0, cut)));
    const packed = gzipSync(whole);
    await refused(1, /the package's layer layer\.tar/, makeLayer('cut', packed.subarray(0, packed.length - 20)));
  });

  it('keep marks of overlays as content', async () => {
    const members: Member[] = [
      { name: 'etc/conf.d/', type: '5', pax: [['SCHILY.xattr.trusted.overlay.opaque', 'y']] },
      { name: 'opt/nested/', type: '5' },
      { name: 'opt/nested/white', type: '3', major: 0, minor: 0 },
    ];
    await world.run('update', 'apply', 'tiny', makeLayer('marks', writeTar(members)));
    expect(await world.inside('plain', 'ls /etc/conf.d | wc -l; ls /opt/nested')).toMatch(/^[1-9]\d*\nwhite\n$/);
    await world.run('rollback', 'marks');
  });
});
