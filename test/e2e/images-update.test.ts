import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { World, buildTiny, differences, isRoot } from '../support/lamina.js';

type Files = Readonly<Record<string, string>>;
const passwd = (...more: string[]) => ['root:x:0:0:root:/root:/bin/sh', ...more].map((line) => `${line}\n`).join('');
const release = (id: string, version: string) => `ID=${id}\nVERSION_ID="${version}"\n`;

function write(root: string, files: Files): void {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), content);
  }
}

const old: Files = {
  'etc/os-release': release('tiny', '1'),
  'etc/passwd': passwd(),
  'etc/app.json': '{\n  "port": 80,\n  "log": "info"\n}\n',
  'etc/app.ini': '; the service\n[server]\nport=80\n\n[log]\nlevel=info\n',
  'srv/data': 'old\n',
  'srv/gone': 'gone\n',
  'var/lib/app/db': 'SQLite format 3\0old',
};
const changes: Files = {
  'etc/os-release': release('tiny', '2'),
  'etc/passwd': passwd('service:x:900:900::/:/bin/false'),
  'etc/app.json': '{\n  "port": 80,\n  "log": "debug"\n}\n',
  'etc/app.ini': '; the service\n[server]\nport=80\n\n[log]\nlevel=debug\n',
  'srv/data': 'new\n',
  'srv/fresh': 'fresh\n',
  'var/lib/app/db': 'SQLite format 3\0new',
};

interface From {
  readonly gone?: readonly string[];
  readonly env?: string;
  readonly tree?: string;
}

interface Applied {
  readonly update: {
    readonly name: string;
    readonly entries: number;
    readonly effects: readonly { readonly container: string; readonly outcome: string; readonly conflicts: number }[];
  } | null;
}

describe.runIf(isRoot)('updates that are images', () => {
  let world: World;
  let layout: string;
  const umoci = (...args: string[]) => execFileSync('umoci', args, { stdio: 'pipe' });
  const source = (tag: string) => `oci:${layout}:${tag}`;

  /** An image upon another one of the layout. */
  function derive(
    tag: string,
    from: string,
    files: Files,
    { gone = [] as string[], env = tag, tree }: From = {},
  ): void {
    const bundle = world.path('bundles', tag);
    mkdirSync(dirname(bundle), { recursive: true });
    umoci('unpack', '--image', `${layout}:${from}`, bundle);
    write(join(bundle, 'rootfs'), files);
    for (const path of gone) rmSync(join(bundle, 'rootfs', path), { recursive: true });
    if (tree !== undefined) execFileSync('cp', ['-a', `${tree}/.`, join(bundle, 'rootfs')]);
    umoci('repack', '--image', `${layout}:${tag}`, bundle);
    umoci('config', '--image', `${layout}:${tag}`, '--clear=config.env', '--config.env', `RELEASE=${env}`);
  }

  beforeAll(async () => {
    world = new World('images-update');
    layout = world.path('layout');
    const tiny = buildTiny(world.path('tiny'));
    write(tiny, old);
    umoci('init', '--layout', layout);
    umoci('new', '--image', `${layout}:empty`);
    derive('v1', 'empty', {}, { tree: tiny });
    derive('v2', 'v1', changes, { gone: ['srv/gone'] });
    derive('other', 'v1', { 'etc/os-release': release('large', '7') });
    derive('arm', 'v1', {});
    umoci('config', '--image', `${layout}:arm`, '--architecture', 'arm64');
    await world.run('init');
    await world.run('base', 'import', 'app', source('v1'));
    for (const name of ['plain', 'own']) await world.run('create', name, '--base', 'app');
    await world.mounted('own', (root) => {
      write(root, {
        'etc/passwd': passwd('alice:x:1001:1001::/home/alice:/bin/sh'),
        'etc/app.json': '{\n  "port": 8080,\n  "log": "info"\n}\n',
        'etc/app.ini': '; the service\n[server]\n; ours\nport=8080\n\n[log]\nlevel=info\n',
        'srv/data': 'mine\n',
        'srv/own': 'own\n',
      });
    });
  }, 120_000);
  afterAll(() => {
    expect(world.mounts()).toEqual([]);
    world.remove();
  });

  const root = async (container: string) => world.mounted(container, (at) => world.snapshotOf(at));
  const refused = async (code: number, says: RegExp, ...args: string[]) => {
    const before = world.storeContent();
    const done = await world.attempt('update', 'apply', 'app', ...args);
    expect({ code: done.code, stderr: done.stderr }).toEqual({ code, stderr: expect.stringMatching(says) as string });
    expect([...differences(before, world.storeContent()).keys()].filter((path) => !path.includes('history'))).toEqual(
      [],
    );
  };

  it('are refused where they are another system, or an older one', async () => {
    await refused(
      4,
      /other is of 'large', and base 'app' is of 'tiny': \d+ of its \d+ paths would be gone/,
      source('other'),
    );
    await refused(4, /arm is for arm64, and base 'app' for/, source('arm'));
    await refused(2, /--force does nothing here/, world.script('x', 'true'), '--force');
  });

  it('change nothing where they are the image that the base has', async () => {
    expect(await world.run('update', 'apply', 'app', source('v1'))).toContain('changed nothing');
  });

  it('make the base the new image, and bring containers together with it by keys', async () => {
    const [plain, own] = [await root('plain'), await root('own')];
    expect((await world.attempt('run', 'plain', '--', 'env')).stdout).toContain('RELEASE=v1\n');
    const preview = await world.run('update', 'apply', 'app', source('v2'), '--dry-run', '--verbose');
    expect(preview).toContain('/srv/fresh');
    const { update } = await world.json<Applied>('update', 'apply', 'app', source('v2'));
    expect(update).toMatchObject({ name: 'layout-v2' });
    expect(update?.effects.map(({ container, outcome, conflicts }) => [container, outcome, conflicts])).toEqual([
      ['own', 'changed', 1],
      ['plain', 'skipped', 0],
    ]);
    await world.run('base', 'import', 'v2', source('v2'));
    await world.run('create', 'reference', '--base', 'v2');
    expect(differences(await root('plain'), await root('reference'))).toEqual(new Map());
    expect((await world.attempt('run', 'plain', '--', 'env')).stdout).toContain('RELEASE=v2\n');
    await world.mounted('own', (at) => {
      const read = (name: string) => readFileSync(join(at, name), 'utf8');
      expect(read('etc/passwd')).toBe(
        passwd('service:x:900:900::/:/bin/false', 'alice:x:1001:1001::/home/alice:/bin/sh'),
      );
      expect(JSON.parse(read('etc/app.json'))).toEqual({ port: 8080, log: 'debug' });
      expect(read('etc/app.ini')).toBe('; the service\n[server]\n; ours\nport=8080\n\n[log]\nlevel=debug\n');
      expect([read('srv/data'), read('srv/data.lamina-new'), read('srv/own')]).toEqual(['mine\n', 'new\n', 'own\n']);
    });
    expect(await world.run('verify', '--quick')).toContain('nothing is wrong');
    expect(await world.run('explain', 'plain', '/srv/data')).toContain('layout-v2');
    expect(await world.run('explain', 'own', '/etc/passwd')).toContain('layout-v2');
    await refused(4, /older than base 'app': VERSION_ID 1 after 2/, source('v1'));
    await refused(4, /has this update already/, source('v2'));
    await world.run('rollback', 'layout-v2');
    expect(differences(await root('plain'), plain)).toEqual(new Map());
    expect(differences(await root('own'), own)).toEqual(new Map());
    expect((await world.attempt('run', 'plain', '--', 'env')).stdout).toContain('RELEASE=v1\n');
  });

  it('are done again, caught up with, and merged', async () => {
    await world.run('update', 'redo', 'layout-v2', '--container', 'plain');
    const behind = await world.run('update', 'catch-up', 'own');
    expect(behind).toContain('layout-v2');
    const before = await root('own');
    expect(before.has('/srv/data.lamina-new')).toBe(true);
    await world.run('merge', '--yes');
    expect(differences(await root('own'), before)).toEqual(new Map());
    expect((await world.attempt('run', 'own', '--', 'env')).stdout).toContain('RELEASE=v2\n');
    expect(await world.run('verify', '--quick')).toContain('nothing is wrong');
  });

  it('come in packages, and leave behind what cannot be merged', async () => {
    derive('v3', 'v2', {
      'etc/os-release': release('tiny', '3'),
      'etc/passwd': passwd('service:x:900:900::/:/bin/false', 'backup:x:1002:1002::/:/bin/false'),
      'var/lib/app/db': 'SQLite format 3\0newer',
    });
    await world.run('create', 'ids', '--base', 'app');
    await world.run('create', 'rows', '--base', 'app');
    await world.inside('ids', "echo 'bob:x:1002:1002::/:/bin/sh' >>/etc/passwd");
    await world.mounted('rows', (at) => write(at, { 'var/lib/app/db': 'SQLite format 3\0mine' }));
    const place = world.makeDirectory('package');
    execFileSync('cp', ['-a', layout, join(place, 'layout')]);
    const fields = { version: 1, name: 'third', to: '3', procedure: { image: 'oci:layout:v3' } };
    writeFileSync(join(place, 'update.json'), JSON.stringify(fields));
    await refused(
      4,
      /'(ids|rows)' and the update cannot be merged: .*(uid '1002' would belong to users|an SQLite database)/,
      place,
    );
    const done = await world.attempt('update', 'apply', 'app', place, '--on-failure', 'skip');
    expect(done.code).toBe(6);
    expect(done.stderr).toMatch(/ids.*uid '1002' would belong to users 'backup' and 'bob'/);
    expect(done.stderr).toMatch(
      /rows.*an SQLite database changed on both sides, and it cannot be merged; an update by a script/,
    );
    expect(await world.run('update', 'show', 'third')).toMatch(/container ids stays on its old layer/);
    const theirs = await world.attempt('update', 'catch-up', 'rows', '--conflict', 'theirs');
    expect(theirs.code).toBe(0);
    await world.mounted('rows', (at) => {
      expect(readFileSync(join(at, 'var/lib/app/db'), 'latin1')).toBe('SQLite format 3\0newer');
    });
  });

  it('move what a container has in a directory that became a symlink, and back', async () => {
    derive('split', 'v3', { 'opt/bin/tool': 'one\n', 'opt/bin/other': 'other\n', 'usr/tools/x': 'x\n' });
    await world.run('base', 'import', 'split', source('split'));
    await world.run('create', 'linked', '--base', 'split');
    await world.inside('linked', 'echo mine >/opt/bin/mine; mkdir /opt/bin/d; echo d >/opt/bin/d/d; rm /opt/bin/other');
    const links = world.makeDirectory('links');
    mkdirSync(join(links, 'opt'));
    symlinkSync('/usr/tools', join(links, 'opt/bin'));
    const files = { 'usr/tools/tool': 'two\n', 'usr/tools/other': 'other\n' };
    derive('linked', 'split', files, { gone: ['opt/bin'], tree: links });
    const before = await root('linked');
    await world.run('update', 'apply', 'split', source('linked'), '--name', 'linked');
    const shown = await world.inside('linked', 'readlink /opt/bin; cd /usr/tools; ls -d *; cat /opt/bin/mine tool d/d');
    expect(shown.split('\n')).toEqual(['/usr/tools', 'd', 'mine', 'tool', 'x', 'mine', 'two', 'd', '']);
    await world.run('rollback', 'linked');
    expect(differences(await root('linked'), before)).toEqual(new Map());
    await world.run('update', 'redo', 'linked');
    await world.run('merge', 'split', '--yes');
    expect(await world.run('verify', '--quick')).toContain('nothing is wrong');
    expect(await world.inside('linked', 'cat /usr/tools/mine /usr/tools/tool')).toBe('mine\ntwo\n');
  });
});
