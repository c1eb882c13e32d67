import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  buildDebian,
  copyTree,
  debianTar,
  debianUpgrade,
  laminaOn,
  succeed,
  unmountBelow,
  upgradeFlat,
} from './debian-oracle.js';
import { differences, snapshot } from '../support/tree.js';
import type { Snapshot } from '../support/tree.js';

type Name = 'web' | 'tools' | 'data';
const names: readonly Name[] = ['web', 'tools', 'data'];
type Three = Record<Name, Snapshot>;

interface Effect {
  readonly container: string;
  readonly outcome: string;
  readonly storage: string | null;
  readonly entries: number;
}

/** The whole life of three containers, lived once; the tests look at what was seen on the way. */
interface Life {
  flatBase: Snapshot;
  importedBase: Snapshot;
  before: Three;
  expected: Three;
  unreproducible: ReadonlySet<string>;
  after: Three;
  effects: readonly Effect[];
  fresh: Snapshot;
  freshAfterRollback: Snapshot;
  rolledBack: Three;
}

const fillWeb = `
  sed -i 's/worker_connections 768/worker_connections 4096/' /etc/nginx/nginx.conf
  mkdir -p /var/www/shop
  echo shop >/var/www/shop/index.html
  printf 'server { listen 8080; root /var/www/shop; }\\n' >/etc/nginx/sites-available/shop
  ln -s ../sites-available/shop /etc/nginx/sites-enabled/shop
  rm /etc/nginx/sites-enabled/default
  openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj '/CN=Our own authority' -keyout /etc/ssl/private/own.key \
    -out /usr/local/share/ca-certificates/own.crt
  update-ca-certificates`;

const fillTools = `
  dpkg -i /root/greeter.deb
  rm /root/greeter.deb
  echo 'good day' >/etc/greeter/greeting
  rm -r /usr/share/doc/openssl
  chmod 0700 /usr/bin/git
  ln /usr/bin/openssl /usr/local/bin/openssl-too`;

const scratch = mkdtempSync(join(tmpdir(), 'lamina-debian-'));
const flat = join(scratch, 'flat');
const lamina = laminaOn(join(scratch, 'store'));

async function buildGreeter(): Promise<string> {
  const tree = join(scratch, 'greeter');
  for (const directory of ['DEBIAN', 'etc/greeter', 'usr/bin']) mkdirSync(join(tree, directory), { recursive: true });
  writeFileSync(
    join(tree, 'DEBIAN/control'),
    'Package: greeter\nVersion: 1.0\nArchitecture: all\nMaintainer: Test <test@localhost>\nDepends: openssl\nDescription: greets\n',
  );
  writeFileSync(join(tree, 'DEBIAN/conffiles'), '/etc/greeter/greeting\n');
  writeFileSync(join(tree, 'etc/greeter/greeting'), 'hello\n');
  writeFileSync(join(tree, 'usr/bin/greeter'), '#!/bin/sh\ncat /etc/greeter/greeting\n');
  chmodSync(join(tree, 'usr/bin/greeter'), 0o755);
  const file = join(scratch, 'greeter.deb');
  await succeed('dpkg-deb', ['--root-owner-group', '--build', tree, file]);
  return file;
}

async function all(look: (name: Name) => Promise<Snapshot>): Promise<Three> {
  return { web: await look('web'), tools: await look('tools'), data: await look('data') };
}
const look = (container: string) => lamina.mounted(container, snapshot);

async function fill(): Promise<void> {
  const greeter = await buildGreeter();
  await lamina.inside('web', fillWeb);
  await lamina.mounted('tools', (root) => succeed('cp', [greeter, join(root, 'root/greeter.deb')]));
  await lamina.inside('tools', fillTools);
  await lamina.mounted('data', (root) => {
    mkdirSync(join(root, 'srv/photos'));
    writeFileSync(join(root, 'srv/photos/summer.raw'), Buffer.alloc(3_000_000, 'photo'));
  });
}

/** What the upgrade makes of flat copies; of web twice, which shows what the upgrade itself does not reproduce. */
async function oracle(): Promise<{ expected: Three; unreproducible: ReadonlySet<string> }> {
  for (const name of [...names, 'web-again']) await upgradeFlat(join(flat, name));
  const expected = await all((name) => Promise.resolve(snapshot(join(flat, name))));
  const again = snapshot(join(flat, 'web-again'));
  return { expected, unreproducible: new Set(differences(expected.web, again).keys()) };
}

async function live(): Promise<Life> {
  await lamina.run('init');
  await lamina.run('base', 'import', 'debian', debianTar);
  for (const name of names) await lamina.run('create', name, '--base', 'debian');
  mkdirSync(join(flat, 'base'));
  await succeed('tar', [
    '-xf',
    debianTar,
    '--numeric-owner',
    '--xattrs',
    '--xattrs-include=*',
    '-C',
    join(flat, 'base'),
  ]);
  const flatBase = snapshot(join(flat, 'base'));
  const importedBase = await look('web');
  await fill();
  const before = await all((name) =>
    lamina.mounted(name, async (root) => {
      await copyTree(root, join(flat, name));
      return snapshot(root);
    }),
  );
  await copyTree(join(flat, 'web'), join(flat, 'web-again'));

  const [made] = await Promise.all([
    oracle(),
    lamina.run('update', 'apply', 'debian', debianUpgrade, '--name', 'upgrade'),
  ]);
  const { updates } = (await lamina.json('update', 'list')) as { updates: { name: string; effects: Effect[] }[] };
  const after = await all(look);
  await lamina.run('create', 'fresh', '--base', 'debian');
  const fresh = await look('fresh');

  await lamina.inside('web', 'echo one >/var/www/shop/orders; rm /var/www/shop/index.html');
  await lamina.run('rollback', 'upgrade');
  const rolledBack = await all(look);
  const effects = updates.find((update) => update.name === 'upgrade')?.effects ?? [];
  return {
    flatBase,
    importedBase,
    before,
    ...made,
    after,
    effects,
    fresh,
    rolledBack,
    freshAfterRollback: await look('fresh'),
  };
}

describe.skipIf(process.getuid?.() !== 0)('a Debian root through its whole life', () => {
  let life: Life;

  beforeAll(async () => {
    await buildDebian();
    mkdirSync(flat);
    // dpkg syncs every file it writes; in memory the flat runs take a third of the time.
    await succeed('mount', ['-t', 'tmpfs', '-o', 'size=6g', 'flat', flat]);
    life = await live();
  }, 1_800_000);

  afterAll(() => {
    unmountBelow(scratch);
    rmSync(scratch, { recursive: true, force: true });
  });

  function told(found: Map<string, string>): string[] {
    return [...found].slice(0, 30).map(([path, what]) => `${path}: ${what}`);
  }

  it('imports the archive as tar extracts it', () => {
    expect(told(differences(life.importedBase, life.flatBase))).toEqual([]);
  });

  it.each(names)('gives %s after the update what the upgrade makes of a flat copy', (name) => {
    const found = differences(life.after[name], life.expected[name]);
    for (const path of life.unreproducible) found.delete(path);
    expect(told(found)).toEqual([]);
  });

  it('leaves out of that comparison logs and caches only', () => {
    expect([...life.unreproducible].filter((path) => !/^\/var\/(log|cache)\//.test(path))).toEqual([]);
    expect(life.unreproducible.size).toBeLessThan(12);
  });

  it('upgrades dozens of packages', () => {
    expect(differences(life.before.data, life.after.data).size).toBeGreaterThan(1000);
  });

  it('runs the upgrade where a container can make a difference, and only there', () => {
    const outcomes = Object.fromEntries(life.effects.map((effect) => [effect.container, effect.outcome]));
    expect(outcomes).toEqual({ web: 'changed', tools: 'changed', data: 'skipped' });
  });

  it('keeps in a delta storage a small part of what the upgrade changed', () => {
    const changed = differences(life.before.web, life.after.web).size;
    for (const effect of life.effects.filter((each) => each.outcome === 'changed')) {
      expect(effect.entries).toBeGreaterThan(0);
      expect(effect.entries).toBeLessThan(changed / 10);
    }
    expect(life.effects.find((effect) => effect.container === 'data')?.storage).toBeNull();
  });

  it('puts a new container on the newest layer', () => {
    const found = differences(life.fresh, life.expected.data);
    for (const path of life.unreproducible) found.delete(path);
    expect([...found.keys()].sort()).toEqual(['/srv/photos', '/srv/photos/summer.raw']);
  });

  it.each(names)('rolls %s back to what it was, and keeps what was done since', (name) => {
    const since = name === 'web' ? ['/var/www/shop/index.html', '/var/www/shop/orders'] : [];
    expect([...differences(life.rolledBack[name], life.before[name]).keys()].sort()).toEqual(since);
  });

  it('leaves the container that began on the new layer as it is', () => {
    expect(told(differences(life.freshAfterRollback, life.fresh))).toEqual([]);
  });

  it('leaves nothing mounted', () => {
    expect(readFileSync('/proc/self/mountinfo', 'latin1')).not.toContain(join(scratch, 'mnt'));
  });
});
