import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  configOf,
  digestOf,
  freePort,
  hasAll,
  makeImage,
  manifestOf,
  must,
  remoteManifest,
  startRegistry,
  trust,
} from '../support/exports.js';
import type { Config, Exported, Registry } from '../support/exports.js';
import { World, differences, isRoot } from '../support/lamina.js';
import type { Snapshot } from '../support/lamina.js';
import { podmanPlaces, podmanSettings } from '../support/podman.js';
import { modificationTimes } from '../support/tree-times.js';
import { inMachine } from '../support/user-namespace.js';

describe.runIf(isRoot && hasAll('umoci', 'skopeo'))('export', () => {
  let world: World;
  /** A layout with the image `base` of two layers. */
  let image: string;

  /** What a container's root is, with its times. */
  async function shown(container: string): Promise<{ tree: Snapshot; times: Map<string, bigint> }> {
    return world.mounted(container, (root) => ({ tree: world.snapshotOf(root), times: modificationTimes(root) }));
  }
  const unpacked = (root: string) => ({ tree: world.snapshotOf(root), times: modificationTimes(root) });

  beforeAll(async () => {
    world = new World('export');
    image = world.path('image');
    makeImage(image, world.path('tiny'), world.path('bundle'));
    await world.run('init');
    await world.run('base', 'import', 'base', `oci:${image}:base`);
    await world.run('create', 'web', '--base', 'base');
    await world.mounted('web', (root) => {
      must(
        'sh',
        '-ec',
        `cd ${root}; echo mine >etc/mine; ln etc/mine etc/also; mv opt moved; rm -r usr/share; mkdir usr/share
         echo new >usr/share/new; mknod null c 1 3; mkfifo pipe; setfattr -n user.x -v y etc/mine
         cp bin/busybox own; setcap cap_net_raw+ep own; chown 1000:1001 own; chmod 4755 own; touch -d @1.123456789 own
         ln -s ../own link`,
      );
    });
    await world.run('update', 'apply', 'base', world.script('up', 'echo up >/etc/up'), '--name', 'up');
    await world.inside('web', 'echo later >/etc/later');
  });
  afterAll(() => {
    world.remove();
  });

  it('gives layers that unpack to the same root, here and by umoci', async () => {
    const wanted = await shown('web');
    const layout = world.path('out');
    const { digest, layers } = await world.json<Exported>('export', 'web', `oci:${layout}:web`);
    const bundle = world.path('unpacked');
    must('umoci', 'unpack', '--image', `${layout}:web`, bundle);
    expect(unpacked(join(bundle, 'rootfs'))).toEqual(wanted);
    expect(must('chroot', join(bundle, 'rootfs'), 'cat', '/etc/up', '/etc/later')).toBe('up\nlater\n');
    await world.run('base', 'import', 'again', `oci:${layout}:web`);
    await world.run('create', 'again', '--base', 'again');
    expect(await shown('again')).toEqual(wanted);
    // Layers of the image are as they were, and the history lists those of Lamina.
    const before = configOf(image, manifestOf(image, digestOf(image)).config.digest);
    const manifest = manifestOf(layout, digest);
    const after = configOf(layout, manifest.config.digest);
    expect(after.rootfs.diff_ids.slice(0, 2)).toEqual(before.rootfs.diff_ids);
    expect(after.config).toEqual(before.config);
    expect(after.history.slice(0, before.history.length)).toEqual(before.history);
    expect(after.history.slice(before.history.length).map((each) => each.created_by)).toEqual([
      'lamina update up',
      'lamina container web: its own changes',
      'lamina container web: its own changes',
    ]);
    expect(after.history.filter((each) => each.empty_layer !== true).length).toBe(layers);
    expect(manifest.annotations).toEqual({ 'org.opencontainers.image.base.digest': digestOf(image) });
  });

  it('gives the same for the same state, and leaves an image that nothing was added to as it was', async () => {
    const [one, two] = [world.path('one.tar'), world.path('two.tar')];
    const { digest } = await world.json<Exported>('export', 'web', `oci-archive:${one}:x`);
    expect((await world.json<Exported>('export', 'web', `oci-archive:${two}:x`)).digest).toBe(digest);
    expect(readFileSync(one).equals(readFileSync(two))).toBe(true);
    const layout = world.path('same');
    await world.run('base', 'import', 'plain', `oci:${image}:base`);
    const same = await world.json<Exported>('export', 'plain', `oci:${layout}`);
    const config = manifestOf(image, digestOf(image)).config.digest;
    expect(manifestOf(layout, same.digest).config.digest).toBe(config);
    // Where the blobs are, they are named and not written again.
    const blobs = readdirSync(join(image, 'blobs/sha256')).length;
    const added = await world.json<Exported>('export', 'plain', `oci:${image}:copy`);
    expect(manifestOf(image, added.digest).layers).toEqual(
      manifestOf(image, digestOf(image)).layers.map((layer) => ({ ...layer })),
    );
    expect(readdirSync(join(image, 'blobs/sha256')).length).toBe(blobs + 1);
    expect(must('umoci', 'ls', '--layout', image).trim().split('\n').sort()).toEqual(['base', 'copy']);
  });

  it('takes SOURCE_DATE_EPOCH, and settings', async () => {
    const file = world.path('set.tar');
    const settings = ['cmd=echo "it runs"', 'env=A-', 'env=B=2', 'user=7', 'port=80', 'label=a=b=c', 'workdir=/srv'];
    const args = [
      'export',
      'web',
      `oci-archive:${file}:x`,
      '--flatten',
      ...settings.flatMap((each) => ['--config', each]),
    ];
    const done = await world.start(args, { env: { SOURCE_DATE_EPOCH: '1700000000' } }).finished;
    expect(done.stderr).toBe('');
    const config = JSON.parse(must('skopeo', 'inspect', '--config', `oci-archive:${file}:x`)) as Config & {
      created: string;
    };
    expect(Date.parse(config.created)).toBe(1_700_000_000_000);
    expect(config.rootfs.diff_ids.length).toBe(1);
    expect(config.config).toEqual({
      Cmd: ['echo', 'it runs'],
      Env: ['B=2'],
      User: '7',
      ExposedPorts: { '80/tcp': {} },
      Labels: { a: 'b=c' },
      WorkingDir: '/srv',
    });
  });

  it.each(['tar', 'tar.gz', 'tar.zst'])('gives a .%s that GNU tar unpacks to the same root', async (ending) => {
    const wanted = await shown('web');
    const [file, root] = [world.path(`root.${ending}`), world.makeDirectory(`from-${ending}`)];
    await world.run('export', 'web', file);
    must('tar', '-xf', file, '-C', root, '--xattrs', '--xattrs-include=*', '--numeric-owner', '--same-permissions');
    expect(unpacked(root)).toEqual(wanted);
  });

  it('gives a Docker archive, which skopeo reads, and podman runs', async ({ skip }) => {
    const file = world.path('web.docker.tar');
    await world.run('export', 'web', `docker-archive:${file}:localhost/lamina-web:1`);
    const found = JSON.parse(must('skopeo', 'inspect', `docker-archive:${file}`)) as { Layers: string[] };
    expect(found.Layers.length).toBe(5);
    const storage = `containers-storage:[vfs@${world.path('podman')}+${world.path('podman-run')}]localhost/lamina-web:2`;
    await world.run('export', 'web', storage);
    if (!hasAll('podman', 'crun')) skip('podman is not installed');
    writeFileSync(world.path('engine.conf'), podmanSettings);
    // Podman refuses a runroot of more than 50 characters.
    const { code, stdout, stderr } = await inMachine(`set -e; ${podmanPlaces}
      export CONTAINERS_CONF=${world.path('engine.conf')}
      podman() { command podman --root ${world.path('podman')} --runroot /run/p --storage-driver vfs "$@"; }
      podman load -q -i ${file} >/dev/null
      podman images --format '{{.Repository}}:{{.Tag}}' | sort
      podman run --rm localhost/lamina-web:1 cat /etc/later
      podman image mount localhost/lamina-web:1`);
    expect([code, stderr]).toEqual([0, '']);
    const [root = '', ...lines] = stdout.trim().split('\n').reverse();
    expect(lines.reverse()).toEqual(['localhost/lamina-web:1', 'localhost/lamina-web:2', 'later']);
    // Podman drops other attributes than those of users, and lets a directory that was made again keep its former ones.
    const others = differences(world.snapshotOf(root), (await shown('web')).tree);
    expect([...others.keys()].sort()).toEqual(['/etc/hostname', '/srv/shared', '/usr/share']);
    for (const both of others.values()) expect(both).toMatch(/^(.*\|)[^|]*<> {2}\1[^|]*$/);
  });

  it('refuses what is there, what cannot be, and what is mounted, and changes nothing', async () => {
    const file = world.path('there.tar');
    writeFileSync(file, 'mine');
    const full = world.makeDirectory('full');
    must('mount', '-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', full);
    const readOnly = world.makeDirectory('read-only');
    must('mount', '-t', 'tmpfs', '-o', 'ro', 'tmpfs', readOnly);
    const cases: readonly (readonly [code: number, words: RegExp, ...args: string[]])[] = [
      [4, /there\.tar already exists/, file],
      [4, /there\.tar already exists/, `oci-archive:${file}`],
      [4, /there\.tar already exists/, `docker-archive:${file}`],
      [4, /there\.tar already exists, and is not a directory/, `oci:${file}`],
      [4, /tiny already exists, and is not an image layout/, `oci:${world.path('tiny')}`],
      [3, /absent\/x\.tar cannot be made: its directory does not exist/, world.path('absent/x.tar')],
      [1, /x\.tar cannot be written: .*ENOSPC/, `${full}/x.tar`],
      [1, /full\/x cannot be written: .*ENOSPC/, `oci:${full}/x`],
      [1, /x\.tar cannot be written: .*EROFS/, `${readOnly}/x.tar`],
      [2, /is not a known destination/, 'dir:/tmp/x'],
      [2, /--layers does nothing here/, world.path('new.tar'), '--layers'],
      [2, /is not a setting of an image/, `oci:${world.path('new')}`, '--config', 'colour=red'],
    ];
    const before = world.storeContent();
    for (const [code, words, ...args] of cases) {
      const done = await world.attempt('export', 'web', ...args);
      expect([args, done.code, done.stderr]).toEqual([args, code, expect.stringMatching(words)]);
    }
    expect(readFileSync(file, 'utf8')).toBe('mine');
    expect(readdirSync(full)).toEqual([]);
    expect(world.storeContent()).toEqual(before);
    must('umount', full, readOnly);
    const none = await world.attempt('export', 'absent', world.path('none.tar'));
    expect([none.code, none.stderr]).toEqual([3, expect.stringContaining("no container or base named 'absent'")]);
    await world.mounted('web', async () => {
      const mounted = await world.attempt('export', 'web', world.path('mounted.tar'));
      expect([mounted.code, mounted.stderr]).toEqual([
        4,
        expect.stringContaining('unmount it first: lamina umount web'),
      ]);
    });
    const env = { PATH: world.makeDirectory('no-programs') };
    const alone = await world.start(['export', 'web', 'docker://127.0.0.1:1/x'], { env }).finished;
    expect([alone.code, alone.stderr]).toEqual([3, expect.stringContaining("cannot run 'skopeo': no such program")]);
  });

  it('leaves nothing behind at Ctrl-C, and lets nobody remove what it reads meanwhile', async () => {
    const root = world.makeDirectory('large');
    must('sh', '-c', `head -c 400000000 /dev/urandom >${root}/large`);
    await world.run('base', 'import', 'large', root);
    const place = world.makeDirectory('interrupted');
    for (const destination of [`oci:${place}/layout`, `oci-archive:${place}/a.tar`, `${place}/a.tar.gz`]) {
      const running = world.start(['export', 'large', destination]);
      const work = () => readdirSync(join(world.store, 'transactions')).length;
      while (work() === 0 || (!destination.startsWith('oci-archive') && readdirSync(place).length === 0))
        await sleep(5);
      if (destination.startsWith('oci:')) {
        const removal = await world.attempt('base', 'remove', 'large');
        expect([removal.code, removal.stderr]).toEqual([
          4,
          expect.stringContaining('what would be removed is read by'),
        ]);
      }
      running.child.kill('SIGINT');
      const done = await running.finished;
      expect([done.code, done.stderr]).toEqual([1, expect.stringContaining('interrupted by SIGINT')]);
      expect(readdirSync(place)).toEqual([]);
      expect(work()).toBe(0);
    }
    await world.run('base', 'remove', 'large');
  });

  describe.runIf(hasAll('docker-registry'))('to a registry', () => {
    const registries: Registry[] = [];

    async function registry(name: string): Promise<Registry> {
      const made = await startRegistry(world.path(name));
      registries.push(made);
      return made;
    }
    const home = () => ({ HOME: world.path('home') });
    const uploads = (log: string) => (log.match(/http\.request\.method=PUT [^\n]*\/blobs\/uploads\//g) ?? []).length;

    afterAll(() => {
      for (const { stop } of registries) stop();
    });

    it('sends what was added alone, and all of it where the registry has nothing', async () => {
      const [first, second] = [await registry('one'), await registry('two')];
      trust(world.path('home'), [first, second]);
      const lamina = async (...args: string[]) => {
        const done = await world.start(args, { env: home() }).finished;
        expect([done.code, done.stderr]).toEqual([0, '']);
        return done.stdout;
      };
      must(
        'env',
        `HOME=${world.path('home')}`,
        'skopeo',
        'copy',
        '-q',
        `oci:${image}:base`,
        `docker://127.0.0.1:${first.port}/base:1`,
      );
      await lamina('base', 'import', 'pulled', `docker://127.0.0.1:${first.port}/base:1`);
      await lamina('create', 'pulled', '--base', 'pulled');
      await world.inside('pulled', 'echo added >/etc/added');
      const before = uploads(first.log());
      const said = await lamina('export', 'pulled', `docker://127.0.0.1:${first.port}/base:2`);
      expect(said).toContain('as an image of 3 layers');
      // The layer that was added, and the configuration.
      expect(uploads(first.log()) - before).toBe(2);
      const raw = (port: number, tag: number) => remoteManifest(world.path('home'), `127.0.0.1:${port}/base:${tag}`);
      const [one, two] = [raw(first.port, 1), raw(first.port, 2)];
      expect(two.layers.slice(0, 2)).toEqual(one.layers);
      expect(two.annotations?.['org.opencontainers.image.base.name']).toBe(`127.0.0.1:${first.port}/base:1`);
      await lamina('export', 'pulled', `docker://127.0.0.1:${second.port}/base:2`);
      expect(raw(second.port, 2).config).toEqual(two.config);
      expect(uploads(second.log())).toBe(4);
      await lamina('base', 'import', 'back', `docker://127.0.0.1:${second.port}/base:2`);
      await lamina('create', 'back', '--base', 'back');
      expect(await shown('back')).toEqual(await shown('pulled'));
    });

    it('says what a registry answers, and leaves the store as it was', async () => {
      const port = await freePort();
      const before = world.storeContent();
      const done = await world.start(['export', 'web', `docker://127.0.0.1:${port}/x`], { env: home() }).finished;
      expect([done.code, done.stderr]).toEqual([
        1,
        expect.stringMatching(/skopeo cannot copy to .*connection refused/),
      ]);
      expect(world.storeContent()).toEqual(before);
    });
  });
});
