import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hasAll, trust } from '../support/exports.js';
import { ImageWorld, directory, file, lowest, middle, topmost } from '../support/image-world.js';
import type { Base } from '../support/image-world.js';
import { buildTiny, differences, mayMount, start } from '../support/lamina.js';
import type { World } from '../support/lamina.js';
import { Layout, layerOf, sha256 } from '../support/layouts.js';
import { Registry } from '../support/registry.js';
import type { Behaviour } from '../support/registry.js';
import { modificationTimes } from '../support/tree-times.js';

describe.skipIf(!mayMount)('importing images', () => {
  let images: ImageWorld;
  let world: World;
  let layout: Layout;
  let imported: ImageWorld['imported'];
  let removed: ImageWorld['removed'];
  let named: ImageWorld['named'];
  let fresh: ImageWorld['fresh'];

  beforeAll(async () => {
    images = new ImageWorld();
    ({ world, layout, imported, removed, named, fresh } = images);
    await world.run('init');
  });
  afterAll(() => {
    expect(world.mounts()).toEqual([]);
    world.remove();
  });

  it('shows what umoci unpacks', async () => {
    const source = named([lowest, middle, topmost]);
    const bundle = world.path('bundle');
    execFileSync('umoci', ['unpack', '--image', source.slice('oci:'.length), bundle], { stdio: 'pipe' });
    const rootfs = join(bundle, 'rootfs');
    const base = await imported(source);
    expect(base.layers).toHaveLength(3);
    await images.looked(base, (root) => {
      expect(differences(world.snapshotOf(root), world.snapshotOf(rootfs))).toEqual(new Map());
      const [ours, theirs] = [modificationTimes(root), modificationTimes(rootfs)];
      // Directories without a member of their own have no time in the image, and umoci writes into the root afterwards.
      const stated = [...theirs].filter(([path]) => path !== '' && path !== '/long');
      for (const [path, time] of stated) expect({ path, time: ours.get(path) }).toEqual({ path, time });
    });
    expect(await world.run('verify', '--quick')).toContain('nothing is wrong');
    await removed(base);
  });

  it('shares layers, and does not even open those that it has', async () => {
    const first = await imported(named([lowest, middle]));
    for (const { blob } of [lowest, middle]) rmSync(layout.blobPath(sha256(blob)));
    const other = new Layout(world.path('other'));
    const source = other.name('x', other.image([lowest, middle, topmost]));
    for (const { blob } of [lowest, middle]) rmSync(other.blobPath(sha256(blob)));
    const second = await imported(source);
    expect(second.layers.slice(1)).toEqual(first.layers);
    for (const words of ['graph', 'status', 'base list'])
      expect(await world.run(...words.split(' '))).toMatch(words === 'graph' ? /shared with i/ : /3 layers, 2 shared/);
    expect(await world.run('base', 'list')).toContain(`oci:${layout.directory}:`);
    await world.run('create', 'shown', '--base', first.name);
    expect((await world.run('graph')).match(/container shown/g)).toHaveLength(1);
    await world.run('remove', 'shown');
    await removed(first);
    expect((await world.json<{ nodes: { id: string }[] }>('status')).nodes.map(({ id }) => id).sort()).toEqual(
      [...second.layers].sort(),
    );
    await removed(second);
    expect((await world.json<{ nodes: object[] }>('status')).nodes).toEqual([]);
    for (const { blob, mediaType } of [lowest, middle]) layout.put(blob, mediaType);
  });

  it('takes the image for this machine out of an index, or the one that is asked for', async () => {
    const arm = layout.image([layerOf([file('arm', '')])], {
      platform: { os: 'linux', architecture: 'arm64', variant: 'v8' },
    });
    const here = layout.image([layerOf([file('here', '')])]);
    const source = layout.name(fresh(), layout.index([arm, here]));
    const own = await imported(source);
    const other = await imported(source, '--platform', 'linux/arm64');
    expect([own.image.manifestDigest, other.image.manifestDigest]).toEqual([here.digest, arm.digest]);
    const refused = await world.attempt('base', 'import', 'x', source, '--platform', 'linux/s390x');
    expect(refused).toMatchObject({ code: 3 });
    expect(refused.stderr).toMatch(/no image for linux\/s390x; there are: linux\/arm64\/v8, linux\/\w+/);
    await removed(own);
    await removed(other);
  });

  it('reads archives, and the form of dir:', async () => {
    const one = layout.name('archived', layout.image([lowest, middle]));
    const archive = world.path('image.tar');
    execFileSync('tar', ['-C', layout.directory, '-cf', archive, '.']);
    const whole = await imported(one);
    for (const [transport, source] of [
      ['oci-archive', `oci-archive:${archive}:archived`],
      ['docker-archive', `docker-archive:${world.path('docker.tar')}`],
      ['dir', `dir:${world.path('dir')}`],
    ] as const) {
      if (transport !== 'oci-archive') {
        const destination = transport === 'dir' ? source : `${source}:name:tag`;
        execFileSync('skopeo', ['copy', '--insecure-policy', '--quiet', one, destination], { stdio: 'pipe' });
      }
      const base = await imported(source);
      expect({ transport, layers: base.layers }).toEqual({ transport, layers: whole.layers });
      await removed(base);
    }
    const refused = await world.attempt('base', 'import', 'x', `docker-archive:${world.path('docker.tar')}:other`);
    expect(refused).toMatchObject({ code: 3 });
    expect(refused.stderr).toContain('name:tag');
    await removed(whole);
  });

  it.skipIf(!hasAll('podman'))('reads containers-storage', async () => {
    const storage = `[overlay@${world.path('graph')}+${world.path('run')}]`;
    // Its storage takes no member twice, and no hard link to a file of a lower layer.
    const one = layout.name(
      'stored',
      layout.image([layerOf([directory('d'), file('d/x', 'X')]), layerOf([file('top', 't')])]),
    );
    const place = `containers-storage:${storage}localhost/stored:1`;
    const done = spawnSync('skopeo', ['copy', '--insecure-policy', '--quiet', one, place], { encoding: 'utf8' });
    if (done.status !== 0) throw new Error(done.stderr);
    const whole = await imported(one);
    const all = await imported(place);
    expect(all.layers).toEqual(whole.layers);
    await removed(whole);
    await removed(all);
    const again = await imported(place);
    await images.looked(again, (root) => expect(readFileSync(join(root, 'd/x'), 'utf8')).toBe('X'));
    await removed(again);
    const missing = await world.attempt('base', 'import', 'x', `containers-storage:${storage}localhost/none`);
    expect(missing).toMatchObject({ code: 1 });
    // Its driver mounts its directory privately, and leaves it so.
    execFileSync('umount', [world.path('graph/overlay')]);
  });

  it.runIf(hasAll('script'))('shows bytes and the time left on a terminal, on the way in and out', async () => {
    const source = named([lowest, middle]);
    const onTerminal = async (...words: string[]) => {
      const command = [process.execPath, world.cli, ...words].map((word) => `'${word}'`).join(' ');
      const env = { ...process.env, LAMINA_STORE: world.store };
      const done = await start('script', ['-qec', command, '/dev/null'], { env }).finished;
      expect(done.code).toBe(0);
      return done.stdout;
    };
    const moved = world.path('seen.lamina');
    expect(await onTerminal('base', 'import', 'seen', source)).toMatch(/importing .* of .*, .* left/);
    expect(await onTerminal('export', 'seen', `oci:${world.path('seen')}:x`)).toMatch(/writing .* of .*, .* left/);
    expect(await onTerminal('export', 'seen', `store-archive:${moved}`)).toMatch(/writing .* of .*, .* left/);
    expect(await onTerminal('import', moved, '--as', 'seen=again')).toMatch(/importing .* of .*, .* left/);
    for (const name of ['seen', 'again']) await world.run('base', 'remove', name);
  });

  it('runs what the image says, as it says', async () => {
    const tiny = buildTiny(world.path('tiny'));
    const tar = execFileSync('tar', ['-C', tiny, '--numeric-owner', '-c', '.'], { maxBuffer: 1 << 28 });
    const config = {
      Entrypoint: ['/bin/sh', '-c', 'echo "$0 $1 $(pwd) $(id -u) $COLOR"'],
      Cmd: ['zero', 'one'],
      Env: ['COLOR=blue=ish', 'PATH=/bin'],
      WorkingDir: '/tmp',
      User: '12:34',
      StopSignal: 'SIGQUIT',
      Labels: { who: 'we', what: 'a = b' },
      ExposedPorts: { '80/tcp': {} },
      Volumes: { '/srv': {} },
    };
    const base = await imported(named([layerOf(tar)], { config }));
    const wanted = {
      ...{ entrypoint: config.Entrypoint, cmd: config.Cmd, env: config.Env, workdir: '/tmp', user: '12:34' },
      ...{ stopSignal: 'SIGQUIT', labels: { who: 'we', what: 'a = b' }, ports: ['80/tcp'], volumes: ['/srv'] },
    };
    expect(await world.json<object>('base', 'show', base.name)).toMatchObject({ ...base, config: wanted });
    const shown = await world.run('base', 'show', base.name);
    for (const line of [
      ...['entrypoint +\\["/bin/sh","-c",', 'command +\\["zero","one"\\]', 'user +12:34', 'directory +/tmp'],
      ...['variable +COLOR=blue=ish', 'port +80/tcp', 'volume +/srv', 'label +what=a = b', 'stop signal +SIGQUIT'],
    ])
      expect(shown).toMatch(new RegExp(`^${line}`, 'm'));
    await world.run('create', 'runs', '--base', base.name);
    expect(await world.run('run', 'runs')).toBe('zero one /tmp 12 blue=ish\n');
    expect(await world.run('run', 'runs', 'sh', '-c', 'echo $(pwd) $COLOR')).toBe('/tmp blue=ish\n');
    const words = ['--user', '0', '--env', 'COLOR=red', '--workdir', '/etc'];
    expect(await world.run('run', ...words, 'runs')).toBe('zero one /etc 0 red\n');
    expect(await world.attempt('run', '--workdir', '/none', 'runs', 'true')).toMatchObject({ code: 126 });
    await world.run('remove', 'runs');
    await removed(base);
    const elsewhere = await imported(named([layerOf(tar)], { config: { WorkingDir: '/srv/app/deep', User: ':34' } }));
    await world.run('create', 'runs', '--base', elsewhere.name);
    // Made where it is missing, as podman does, unless somebody asks for another one.
    const made = 'pwd; id -u; id -g; stat -c %a /srv/app';
    expect(await world.run('run', 'runs', '--', 'sh', '-c', made)).toBe('/srv/app/deep\n0\n34\n755\n');
    await world.run('remove', 'runs');
    await removed(elsewhere);
  });

  describe('in a registry', () => {
    let registry: Registry;
    let env: NodeJS.ProcessEnv;
    beforeAll(async () => {
      registry = new Registry(layout.directory);
      await registry.start();
      trust(world.path('home'), [registry]);
      env = { HOME: world.path('home') };
    });
    afterAll(() => {
      registry.stop();
    });
    const attempt = async (reference: string) =>
      world.start(['--json', 'base', 'import', fresh(), `docker://${registry.address}/${reference}`], { env }).finished;

    it('is fetched, but not the layers that the store has', async () => {
      registry.tags.set('one', layout.image([lowest, middle]));
      registry.tags.set('two', layout.index([layout.image([lowest, middle, topmost])]));
      const first = await attempt('web:one');
      expect(first.stderr).toBe('');
      expect(first.code).toBe(0);
      registry.asked.length = 0;
      const second = await attempt('web:two');
      expect(second.code).toBe(0);
      const blobs = [lowest, middle, topmost].map(({ blob }) => registry.asked.includes(sha256(blob)));
      expect(blobs).toEqual([false, false, true]);
      registry.asked.length = 0;
      const third = await attempt('web:two');
      expect(third.code).toBe(0);
      expect(registry.asked.filter((digest) => layersHave(digest))).toEqual([]);
      for (const each of [first, second, third]) await removed(JSON.parse(each.stdout) as Base);
    });

    it.each<[string, string, Behaviour, number, RegExp]>([
      ['has no such tag', 'web:none', 'serves', 3, /has no image 'none'; there are: one, two/],
      ['needs a login', 'web:one', 401, 1, /skopeo cannot get docker:\/\/.*(unauthorized|authentication)/],
      ['has a fault', 'web:one', 500, 1, /skopeo cannot get docker:\/\//],
      ['ends the connection', 'web:one', 'ends', 1, /skopeo cannot get docker:\/\//],
      ['ends the connection in a blob', 'web:one', 'ends in blobs', 1, /skopeo cannot get docker:\/\//],
    ])('%s', async (_, reference, behaviour, code, message) => {
      registry.tags.set('one', layout.image([lowest, middle]));
      registry.tags.set('two', layout.image([lowest]));
      registry.behaviour = behaviour;
      const before = world.storeContent();
      const done = await attempt(reference);
      registry.behaviour = 'serves';
      expect(done.stdout + done.stderr).toMatch(message);
      expect(done.code).toBe(code);
      expect(differences(world.storeContent(), before)).toEqual(new Map());
    });
  });
});

const layersHave = (digest: string) => [lowest, middle, topmost].some(({ blob }) => sha256(blob) === digest);
