import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { World, buildProgram, buildTiny, copyTree, differences } from '../support/lamina.js';
import { isRoot, mayMount, runFlat } from '../support/lamina.js';
import type { Snapshot } from '../support/lamina.js';
import { modificationTimes } from '../support/tree-times.js';

/** Only root has other users to give something to. */
const ofOthers = (text: string) => (isRoot ? text : 'true');

/** An access list that names user 1000. */
const defaultList = '0200000001000700ffffffff02000600e80300000400050000ffffff10000700ffffffff20000500ffffffff';

/** What the base has, for the procedures to act on. */
const furniture = `
mkdir -p /w/a/sub /w/b/sub /w/c /w/empty /w/acl /w/names /w/tar /w/deep/1/2/3
for d in a b c tar; do echo $d >/w/$d/file; echo $d >/w/$d/other; done
echo x >/w/a/sub/x; echo y >/w/b/sub/y; echo 3 >/w/deep/1/2/3/f
echo group >/w/f; ln /w/f /w/h; ln /w/f /w/c/third; ln -s a /w/link; mkfifo /w/fifo; odd-calls socket /w/socket
dd if=/dev/zero of=/w/sparse bs=1 count=1 seek=1000000 2>/dev/null; echo suid >/w/suid; chmod 6755 /w/suid
printf x >"/w/names/new
line"; printf x >"/w/names/$(printf '\\377\\376')"; printf x >"/w/names/$(printf '%0255d' 7)"; printf x >'/w/names/ -sp ace '
${ofOthers(`odd-calls attribute /w/acl system.posix_acl_default ${defaultList}`)}
odd-calls time /w/c/other -2000000000 5; odd-calls time /w/b/other 9000000000 999999999`;

/** What containers have of their own, in two steps: the first is sealed before the second. */
const doings: Readonly<Record<string, readonly [string, string]>> = {
  idle: ['true', 'true'],
  own: [
    'echo own >/w/a/own; echo own >>/w/f; rm /w/b/other; mkdir /w/empty/own; echo own >/w/deep/1/2/own',
    'ln /w/f /w/own-name; mv /w/c /w/c-away; mkdir /w/c; echo mine >/w/c/file; chmod 700 /w/tar; printf own >>/w/sparse',
  ],
  torn: [
    'rm -r /w/a; mkdir /w/a; echo torn >/w/a/file; cp -p /w/h /w/h.new; mv /w/h.new /w/h; rm /w/fifo; echo f >/w/fifo',
    `mv /w/b /w/b2; mv /w/b2 /w/b; rm /w/names/*line; odd-calls exchange /w/deep /w/empty
    ${ofOthers('chown 7:8 /w/suid')}; chmod 4711 /w/suid`,
  ],
};

const quiet = (text: string) => `(${text}) 2>/dev/null || :\n`;
const each = (...commands: string[]) => commands.map(quiet).join('');

const procedures: Readonly<Record<string, string>> = {
  'exchanges directories, files and links': each(
    'odd-calls exchange /w/a /w/b',
    'odd-calls exchange /w/c/file /w/empty',
    'odd-calls exchange /w/link /w/f',
    'odd-calls exchange /w/a/sub /w/b/file',
    'echo after >/w/a/after',
  ),
  'names files that had none, and links them': each(
    'odd-calls unnamed /w/a /w/a/unnamed text',
    'ln /w/a/unnamed /w/b/unnamed',
    'odd-calls unnamed /w /w/c/other2 more',
    'rm -f /w/h; odd-calls unnamed /w /w/h new',
    'ln /w/h /w/a/h',
  ),
  'breaks and joins groups of hard links': each(
    'ln /w/f /w/a/f',
    'echo written >>/w/h',
    'cp /w/f /w/f.new && mv /w/f.new /w/f',
    'ln -f /w/c/third /w/b/file',
    'ln /w/sparse /w/sparse2; chmod 600 /w/sparse2',
    'mv /w/a/f /w/b/f',
  ),
  'makes directories anew where there were some': each(
    'rm -r /w/a; mkdir /w/a; echo new >/w/a/new',
    'rm -r /w/b/sub; mv /w/c /w/b/sub; mkdir /w/c; mkdir /w/c/sub',
    'rm -r /w/deep/1/2; mkdir /w/deep/1/2',
    'rmdir /w/empty && mv /w/tar /w/empty && mkdir /w/tar',
  ),
  'gives access lists and inherits them': each(
    'mkdir /w/acl/made; echo x >/w/acl/made/file; echo y >/w/acl/file',
    'odd-calls attribute /w/a/file system.posix_acl_access 0200000001000600ffffffff02000400e80300000400040000ffffff10000400ffffffff20000400ffffffff',
    'chmod 640 /w/a/file',
    'chmod 3777 /w/acl; mkdir /w/acl/sticky',
    'mv /w/b/file /w/acl/moved; cp -a /w/acl /w/acl2',
  ),
  'makes and replaces what is no file': each(
    'rm -f /w/fifo; mkdir /w/fifo; mkfifo /w/fifo/in',
    'rm -f /w/socket; odd-calls socket /w/c/socket',
    'mknod /w/null c 1 3; mknod /w/disk b 7 200; chown 5:6 /w/disk',
    'mkfifo /w/new-fifo; mv /w/new-fifo /w/a/file',
    'ln -s nowhere /w/s; mv /w/s /w/b/other; ln /w/null /w/null2',
  ),
  'leaves holes in files': each(
    'dd if=/dev/zero of=/w/holes bs=1 count=1 seek=50000000',
    'odd-calls punch /w/sparse 0 4096; printf end >>/w/sparse',
    'cp -a /w/holes /w/a/holes; truncate -s 10 /w/holes',
    'truncate -s 5000000 /w/c/file; odd-calls punch /w/c/file 1 4000000',
  ),
  'moves and makes files of any name': each(
    'for n in /w/names/*; do cp -p "$n" "$n.2" || mv "$n" /w/names/longest; done',
    'mv "/w/names/$(printf \'\\377\\376\')" "/w/names/$(printf \'\\200\')"',
    'printf y >"/w/names/$(printf \'%0255d\' 8)"; printf y >/w/names/.wh.x; printf y >/w/names/.wh..wh..opq',
    'rm -f "/w/names/ -sp ace "; mkdir "/w/names/ -sp ace "; printf z >"/w/names/ -sp ace /\\\\ \\"\'"',
    'mv /w/names /w/named; mkdir /w/names; mv /w/named/*line* /w/names/',
  ),
  'sets capabilities and set-id modes': each(
    'cp /bin/busybox /w/caps; odd-calls attribute /w/caps security.capability 0100000200040000000000000000000000000000',
    'cp -p /w/suid /w/suid2; chown 9:9 /w/suid; echo more >>/w/suid2; chmod 2755 /w/a',
    'ln /w/caps /w/a/caps; chown 3:4 /w/b; mkdir /w/a/gid; chgrp 77 /w/a; mkdir /w/a/gid2',
    `odd-calls attribute /w/b/file user.large ${'ab'.repeat(1500)}`,
  ),
  'sets times of any year': each(
    'odd-calls time /w/a/file -2000000000 1; odd-calls time /w/a/other 12000000000 7; odd-calls time /w/link -5 123',
    'touch -r /w/c/other /w/b/file; sleep 0.02; echo 1 >>/w/f; sleep 0.02; echo 2 >/w/late; sleep 0.02; touch /w/c/file',
    'odd-calls time /w/a 4000000000 0; cp -p /w/b/other /w/b/like; odd-calls time /w/fifo 0 0',
  ),
  'copies and packs': each(
    'cp -a /w/a /w/copy; cp -a /w/c/. /w/b',
    'tar -C /w -c -f /w/tar/all.tar a b f h link names; mkdir /w/out; tar -C /w/out -x -f /w/tar/all.tar',
    'tar -C /w -x -f /w/tar/all.tar; rm /w/tar/all.tar',
    'cp -a /w/deep /w/out/; rm -r /w/deep; cp -a /w/out/deep /w/deep',
  ),
  'moves directories round, and one into another': each(
    'mv /w/a /w/t; mv /w/b /w/a; mv /w/t /w/b',
    'mv /w/deep/1/2 /w/c/2; mv /w/c /w/deep/1/c; mv /w/deep /w/b/deep; echo x >/w/b/deep/1/c/2/new',
    'mv /w/a/sub /w/sub; mv /w/sub /w/a/sub; mv /w/link /w/a/link; mkdir /w/c',
    'mv /w/b/sub /w/a/sub2; mv /w/a/sub2 /w/b/sub',
  ),
  'changes the root itself': each('chmod 711 /; chown 0:5 /; odd-calls attribute / user.root 78; echo x >/top'),
};

const clock = () => BigInt(Date.now()) * 1_000_000n;
const begun = clock();

describe.skipIf(!mayMount)('procedures of odd calls', () => {
  let world: World;
  const flat = (container: string) => world.path('flat', container);
  const containers = Object.keys(doings);

  beforeAll(async () => {
    world = new World('odd');
    world.makeDirectory('flat');
    const root = buildTiny(world.path('tiny'));
    buildProgram('odd-calls.cc', join(root, 'bin/odd-calls'));
    runFlat(root, world.script('furniture', furniture));
    await world.run('init');
    await world.run('base', 'import', 'tiny', root);
    for (const container of containers) {
      await world.run('create', container, '--base', 'tiny');
      copyTree(root, flat(container));
    }
    for (const step of [0, 1] as const) {
      for (const container of containers) {
        const script = world.script(`${container}-${step}`, doings[container]?.[step] ?? '');
        await world.mounted(container, (mounted) => {
          runFlat(mounted, script);
        });
        runFlat(flat(container), script);
      }
      // Seals what they have so far.
      const seal = world.script(`seal-${step}`, `echo ${step} >/etc/sealed`);
      await world.run('update', 'apply', 'tiny', seal);
      for (const container of containers) runFlat(flat(container), seal);
    }
  }, 240_000);
  afterAll(() => {
    expect(world.mounts()).toEqual([]);
    world.remove();
  });

  /** Before each of the procedures: every one is rolled back. */
  let before: Map<string, Look> | undefined;
  type Look = readonly [Snapshot, Map<string, bigint>];
  const lookAtAll = async () =>
    world.mountedTogether(
      containers,
      (roots) =>
        new Map(
          roots.map((root, i): [string, Look] => [containers[i]!, [world.snapshotOf(root), modificationTimes(root)]]),
        ),
    );

  /**
   * Times that are data are kept; of what was written since `from`, the order. Copies of busybox have whole seconds:
   * decision 19, "Not covered".
   */
  function checkTimes(container: string, shown: Map<string, bigint>, from: bigint): void {
    const tree = world.snapshotOf(flat(container));
    const wanted = [...modificationTimes(flat(container))].filter(([path]) => !tree.get(path)?.startsWith('directory'));
    for (const [path, time] of wanted)
      if (time < begun || time > 2n * begun) expect([path, shown.get(path)]).toEqual([path, time]);
    const now = wanted
      .filter(([, time]) => time >= from && time < 2n * begun && time % 1_000_000_000n > 0n)
      .sort(([, a], [, b]) => (a < b ? -1 : 1));
    for (const [i, [path, time]] of now.entries()) {
      const next = now.slice(i + 1).find(([, other]) => other > time);
      if (next === undefined) continue;
      // The clock of a file system has ticks: what one run wrote in two, another may have written in one.
      const isNewer = (shown.get(path) ?? 0n) > (shown.get(next[0]) ?? 0n);
      expect(isNewer, `${path} is newer than ${next[0]} in container ${container}`).toBe(false);
    }
  }

  function compare(shown: ReadonlyMap<string, Look>, from: bigint): void {
    for (const [container, [tree, times]] of shown) {
      expect([...differences(tree, world.snapshotOf(flat(container)))], `container ${container}`).toEqual([]);
      checkTimes(container, times, from);
    }
  }

  it.each(Object.entries(procedures))(
    'that %s show in every container what they make of a flat copy, stay through a merge, and go back',
    { timeout: 240_000 },
    async (what, text) => {
      const name = `p${Object.keys(procedures).indexOf(what)}`;
      const script = world.script(name, text);
      before ??= await lookAtAll();
      const kept = world.makeDirectory('kept');
      for (const container of containers) copyTree(flat(container), join(kept, container));
      try {
        await world.run('update', 'apply', 'tiny', script);
        const from = clock();
        for (const container of containers) runFlat(flat(container), script);
        const shown = await lookAtAll();
        compare(shown, from);
        await world.run('merge', '--yes', '--keep', '1');
        expect(await lookAtAll()).toEqual(shown);
      } finally {
        for (const container of containers) {
          spawnSync('rm', ['-rf', flat(container)]);
          copyTree(join(kept, container), flat(container));
        }
        spawnSync('rm', ['-rf', kept]);
        await world.run('rollback', name);
      }
      expect(await lookAtAll()).toEqual(before);
    },
  );

  it('leave a store that is whole', async () => {
    expect(await world.run('verify')).not.toMatch(/damage/);
  });
});
