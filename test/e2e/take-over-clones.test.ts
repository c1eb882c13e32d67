import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { World, differences, isRoot } from '../support/lamina.js';
import { buildDebian, debianTar } from './debian-oracle.js';

interface Created {
  readonly takenOver: { readonly entries: number; readonly bytes: number; readonly shared: { readonly bytes: number } };
}
interface Status {
  readonly nodes: readonly { readonly kind: string; readonly bytes: number }[];
}

const names = ['web', 'mail', 'shop', 'wiki', 'build'] as const;

/** Five machines that were copied from one, and went their own ways. */
describe.skipIf(!isRoot || spawnSync('dpkg-deb', ['--version']).status !== 0)('clones of a Debian root', () => {
  let world: World;
  const at = (...parts: string[]) => world.path(...parts);
  const created = new Map<string, Created['takenOver']>();

  beforeAll(async () => {
    world = new World('clones');
    await buildDebian();
    const root = world.makeDirectory('root');
    execFileSync('tar', ['-C', root, '--xattrs', '--xattrs-include=*', '--numeric-owner', '-xf', debianTar]);
    install(root, deb('tool', '1.0'));
    await world.run('init');
    await world.run('base', 'import', 'debian', root);
    for (const name of names) {
      // A copy that takes no time: the clone is what the overlay shows.
      const [upper, work, merged] = ['upper', 'work', 'merged'].map((part) => world.makeDirectory(part, name));
      const options = `lowerdir=${root},upperdir=${upper!},workdir=${work!}`;
      execFileSync('mount', ['-t', 'overlay', '-o', options, 'none', merged!]);
      install(merged!, deb(`own-${name}`, '1', 'tool'));
      writeFileSync(join(merged!, 'etc/hostname'), `${name}\n`);
    }
    writeFileSync(at('merged/wiki/etc/tool.conf'), 'changed by wiki\n');
    execFileSync('chroot', [at('merged/shop'), 'dpkg', '--remove', 'less'], { stdio: 'ignore' });
    for (const name of names) {
      const { takenOver } = await world.json<Created>('create', name, '--base', 'debian', '--from', at('merged', name));
      created.set(name, takenOver);
    }
  }, 120_000);
  afterAll(() => {
    for (const name of names) spawnSync('umount', [at('merged', name)]);
    expect(world.mounts()).toEqual([]);
    world.remove();
  });

  /** A package with a program, and a conffile in that of all. */
  function deb(name: string, version: string, depends?: string): string {
    const tree = world.makeDirectory('packages', `${name}_${version}`);
    const file = (path: string, text: string, mode = 0o644) => {
      mkdirSync(dirname(join(tree, path)), { recursive: true });
      writeFileSync(join(tree, path), text, { mode });
    };
    const fields = `Package: ${name}\nVersion: ${version}\nArchitecture: all\nMaintainer: Test <test@example.org>\n`;
    file('DEBIAN/control', `${fields}${depends === undefined ? '' : `Depends: ${depends}\n`}Description: ${name}\n`);
    file(`usr/bin/${name}`, `#!/bin/sh\necho ${name} ${version}\n`, 0o755);
    file(`usr/share/${name}/data`, `${name} ${version}\n`.repeat(500));
    if (name === 'tool') file('etc/tool.conf', `of ${version}\n`);
    if (name === 'tool') file('DEBIAN/conffiles', '/etc/tool.conf\n');
    execFileSync('dpkg-deb', ['--root-owner-group', '-Znone', '--build', tree, `${tree}.deb`]);
    return `${tree}.deb`;
  }

  function install(root: string, file: string): void {
    execFileSync('cp', [file, join(root, 'package.deb')]);
    execFileSync('chroot', [root, 'dpkg', '--force-unsafe-io', '-i', '/package.deb'], {
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', DEBIAN_FRONTEND: 'noninteractive' },
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    execFileSync('rm', [join(root, 'package.deb')]);
  }

  it('share what they have in common, and are what they were', async () => {
    const base = await sizeOf('base-layer');
    expect(base).toBeGreaterThan(100_000_000);
    expect(await sizeOf('storage')).toBeLessThan(base / 20);
    for (const [, { shared }] of created) expect(shared.bytes).toBeGreaterThan(base * 0.9);
    expect([...differences(await world.look('wiki'), world.snapshotOf(at('merged/wiki')))]).toEqual([]);
  });

  async function sizeOf(kind: string): Promise<number> {
    const { nodes } = await world.json<Status>('status');
    return nodes.filter((node) => node.kind === kind).reduce((sum, { bytes }) => sum + bytes, 0);
  }

  it('all get one update, and keep their own packages', async () => {
    const update = world.makeDirectory('update');
    execFileSync('cp', [deb('tool', '2.0'), join(update, 'tool.deb')]);
    const script = 'dpkg --force-unsafe-io --force-confold -i /run/lamina/procedure/tool.deb';
    writeFileSync(join(update, 'upgrade'), `#!/bin/sh\nset -e\nexport DEBIAN_FRONTEND=noninteractive\n${script}\n`, {
      mode: 0o755,
    });
    writeFileSync(join(update, 'update.json'), JSON.stringify({ version: 1, name: 'tool-2', procedure: 'upgrade' }));
    await world.run('update', 'apply', 'debian', update);
    for (const name of names) {
      const said = await world.inside(
        name,
        `dpkg --audit; apt-get check >/dev/null; dpkg-query -W -f '\${Package} \${Version} \${Status}\\n' tool own-${name}
         tool; own-${name}; cat /etc/hostname /etc/tool.conf; dpkg --verify tool own-${name}; command -v less || echo none`,
      );
      const wiki = name === 'wiki';
      expect(said.trim().split('\n')).toEqual([
        `own-${name} 1 install ok installed`,
        'tool 2.0 install ok installed',
        'tool 2.0',
        `own-${name} 1`,
        name,
        wiki ? 'changed by wiki' : 'of 2.0',
        ...(wiki ? ['??5?????? c /etc/tool.conf'] : []),
        name === 'shop' ? 'none' : '/usr/bin/less',
      ]);
    }
    expect(await sizeOf('storage')).toBeLessThan((await sizeOf('base-layer')) / 10);
    expect(await world.run('verify')).toContain('nothing is wrong');
    expect(readFileSync(at('merged/wiki/etc/tool.conf'), 'utf8')).toBe('changed by wiki\n');
  }, 120_000);
});
