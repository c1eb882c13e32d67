import { lstatSync, readdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { World, mayMount } from '../support/lamina.js';

/** What stat(2) reports of numbers in a mount: of each path its link count, and the first path that has its st_ino. */
interface Numbers {
  readonly links: Map<string, string>;
  readonly ino: Map<string, bigint>;
}

/** Also looks that a number stands for one file, and that a file has as many names as it says. */
function numbersBelow(root: string): Numbers {
  const links = new Map<string, string>();
  const ino = new Map<string, bigint>();
  const named = new Map<bigint, { names: string[]; nlink: bigint; what: string }>();
  const visit = (path: string): void => {
    const at = Buffer.from(root + path, 'latin1');
    const stats = lstatSync(at, { bigint: true });
    const directory = stats.isDirectory();
    const what = directory ? `directory ${path}` : `${stats.mode} ${stats.size} ${stats.uid} ${stats.mtimeNs}`;
    const known = named.get(stats.ino);
    expect([path, what]).toEqual([path, known?.what ?? what]);
    const group = known ?? { names: [], nlink: directory ? 1n : stats.nlink, what };
    group.names.push(path);
    named.set(stats.ino, group);
    // A directory in which several layers merge counts nothing, and whether they do may change.
    links.set(path, `${group.nlink} as ${group.names[0] ?? ''}`);
    ino.set(path, stats.ino);
    if (directory) for (const name of readdirSync(at, 'latin1').sort()) visit(`${path}/${name}`);
  };
  visit('');
  for (const { names, nlink } of named.values()) expect([names, nlink]).toEqual([names, BigInt(names.length)]);
  return { links, ino };
}

const many = (directory: string, count: number) =>
  `mkdir ${directory}; i=0; while [ $i -lt ${count} ]; do echo "$i of ${directory}" >${directory}/$i; i=$((i+1)); done`;

// What can keep a number that is somebody else's, once layers come and go below: copies of files of each layer, under
// their names and under others, alone and in groups.
const updates = [
  `${many('/srv/first', 40)}; ln /srv/first/0 /srv/first/also; mkdir /srv/first/deep; mv /srv/shared /srv/shared-by-all`,
  `${many('/srv/second', 40)}; ln /srv/second/1 /srv/second/also; echo changed >/srv/first/3; rm /srv/first/also
   mkdir -p /srv/first/deep/er; chmod 0700 /srv/first/deep`,
  `${many('/srv/third', 40)}; rm -r /srv/second/2 /srv/second/3; ln /srv/one /srv/four`,
];
const work = [
  `${many('/srv/mine', 60)}; chmod 0600 /etc/hostname /etc/hosts; ln /etc/hostname /opt/hostname; chmod 0640 /srv/one; mv /srv/two /opt/two`,
  `for i in 5 6 7 8; do mv /srv/first/$i /opt/first-$i; chmod 0600 /srv/mine/$i; mv /srv/mine/1$i /opt/mine-$i; done
   ln /srv/first/9 /opt/nine; chmod 0700 /srv/first/9; mv /srv/first/0 /opt/zero`,
  `for i in 10 11 12 13; do mv /srv/second/$i /opt/second-$i; chmod 0600 /srv/mine/$i; done; mv /srv/second/1 /opt/one-of-second
   mv /srv/first/deep /opt/deep; chmod 0711 /bin/busybox; rm /home/user/three`,
  `for i in 20 21 22 23; do mv /srv/third/$i /opt/third-$i; chmod 0600 /srv/mine/$i; done
   mv /usr/share /usr/shared; mkdir /usr/share; echo new >/usr/share/new`,
];

describe.skipIf(!mayMount)('inode numbers and link counts', { timeout: 120_000 }, () => {
  let world: World;

  beforeAll(async () => {
    world = new World('inode-numbers');
    await world.initWithTiny();
    await world.run('create', 'web', '--base', 'tiny');
    await world.inside('web', work[0]!);
    for (const [number, text] of updates.entries()) {
      await world.run('update', 'apply', 'tiny', world.script(`u${String(number + 1)}`, text));
      await world.inside('web', work[number + 1]!);
    }
  }, 60_000);
  afterAll(() => {
    expect(world.mounts()).toEqual([]);
    world.remove();
  });

  const look = async () => world.mounted('web', numbersBelow);
  const touch = async (first: number) =>
    world.inside(
      'web',
      `chmod 0644 /srv/mine/${String(first)} /srv/one; mv /srv/mine/${String(first + 1)} /opt/moved-${String(first)}
       ln /srv/mine/${String(first + 2)} /opt/linked-${String(first)}`,
    );

  it('are the same after a remount, and after copying up', async () => {
    const before = await look();
    expect(await look()).toEqual(before);
    await world.inside('web', 'chmod 0644 /srv/mine/30 /srv/one /etc/passwd /opt/one-of-second');
    expect(await look()).toEqual(before);
  });

  it.each([['2'], ['1']])('group and count the same after a merge that keeps %s', async (keep) => {
    const before = await look();
    await world.run('merge', '--yes', '--keep', keep);
    expect((await look()).links).toEqual(before.links);
    await touch(Number(keep) * 10);
    await look();
  });

  it('belong to one file each after a rollback over what was merged', async () => {
    await world.run('rollback', 'u3');
    await look();
    await touch(30);
    const before = await look();
    await world.run('merge', '--yes');
    expect((await look()).links).toEqual(before.links);
  });

  it('are as before after an update that is rolled back', async () => {
    await world.inside('web', 'chmod 0600 /srv/mine/40; mv /srv/mine/41 /opt/forty-one');
    const before = await look();
    await world.run('update', 'apply', 'tiny', world.script('again', updates[2]!.replaceAll('third', 'again')));
    await look();
    await world.run('rollback', 'again');
    expect(await look()).toEqual(before);
  });
});
