import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildDebian, debianTar, debianUpgrade, laminaOn, succeed, unmountBelow } from './debian-oracle.js';
import { Layout, sha256, types } from '../support/layouts.js';
import { differences, snapshot } from '../support/tree.js';

/** Of the upgrade, to make the newer image of: with a library, whose cache the containers' own libraries change too. */
const upgraded = ['libssl3', 'openssl', 'rsync', 'libexpat1', 'sudo'];

const scratch = mkdtempSync(join(tmpdir(), 'lamina-images-debian-'));
const lamina = laminaOn(join(scratch, 'store'));
const newer = join(scratch, 'newer');
const debs = join(scratch, 'debs');

interface Package {
  readonly depends?: string;
  readonly files?: Readonly<Record<string, string>>;
  readonly conffiles?: readonly string[];
  readonly postinst?: string;
  readonly library?: boolean;
}

/** A package of Debian. */
async function deb(name: string, { depends, files = {}, conffiles = [], postinst, library }: Package): Promise<string> {
  const tree = join(scratch, 'build', name);
  const put = (path: string, content: string) => {
    mkdirSync(dirname(join(tree, path)), { recursive: true });
    writeFileSync(join(tree, path), content);
  };
  const architecture = (await succeed('dpkg', ['--print-architecture'])).trim();
  const more = depends === undefined ? '' : `Depends: ${depends}\n`;
  put(
    'DEBIAN/control',
    `Package: ${name}\nVersion: 1.0\nArchitecture: ${architecture}\nMaintainer: Test <test@localhost>\n${more}Description: ${name}\n`,
  );
  if (conffiles.length > 0) put('DEBIAN/conffiles', conffiles.map((path) => `${path}\n`).join(''));
  if (postinst !== undefined) {
    put('DEBIAN/postinst', `#!/bin/sh\nset -e\n${postinst}\n`);
    chmodSync(join(tree, 'DEBIAN/postinst'), 0o755);
  }
  if (library === true) {
    put('DEBIAN/triggers', 'activate-noawait ldconfig\n');
    put('source.c', `int ${name}_answer(void) { return 42; }\n`);
    const place = join(tree, 'usr/lib');
    mkdirSync(place, { recursive: true });
    const target = join(place, `${name}.so.1`);
    await succeed('cc', ['-shared', '-o', target, `-Wl,-soname,${name}.so.1`, join(tree, 'source.c')]);
    rmSync(join(tree, 'source.c'));
  }
  for (const [path, content] of Object.entries(files)) put(path, content);
  mkdirSync(debs, { recursive: true });
  const file = join(debs, `${name}.deb`);
  await succeed('dpkg-deb', ['--root-owner-group', '-Znone', '--build', tree, file]);
  return file;
}

/** Runs a command in a flat root. */
async function inFlat(root: string, script: string): Promise<string> {
  const mounts = ['--bind', root, '/', '--proc', '/proc', '--dev', '/dev', '--tmpfs', '/run', '--tmpfs', '/tmp'];
  return succeed(
    'bwrap',
    ['--unshare-pid', '--unshare-net', '--die-with-parent', ...mounts, ...shown, 'sh', '-ec', script],
    {
      PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
      DEBIAN_FRONTEND: 'noninteractive',
      LANG: 'C.UTF-8',
    },
  );
}
const shown = ['--ro-bind', debianUpgrade, '/run/update', '--ro-bind', debs, '/run/debs', '--chdir', '/'];

async function install(container: string, file: string, then = 'true'): Promise<void> {
  await lamina.mounted(container, (root) => succeed('cp', [file, join(root, 'root/own.deb')]));
  await lamina.inside(container, `dpkg -i /root/own.deb; rm /root/own.deb; ${then}`);
}

/** A choice for an alternative that the base has. */
const alternative = (name: string, priority: number) =>
  `update-alternatives --install /usr/bin/pager pager /usr/lib/${name}.so.1 ${String(100 + priority)}`;

const lines = (text: string) => text.trim().split('\n');
const versionsOf = (text: string): Record<string, string> =>
  Object.fromEntries(lines(text).map((line) => line.split(' ') as [string, string]));
const query = "dpkg-query -W -f '${Package} ${Version}\\n'";

describe.runIf(process.getuid?.() === 0)('a newer Debian image, under containers with packages of their own', () => {
  let effects: readonly { readonly container: string; readonly outcome: string }[] = [];
  let stderr = '';
  let newVersions: Readonly<Record<string, string>>;

  beforeAll(async () => {
    await buildDebian();
    mkdirSync(newer);
    await succeed('tar', ['-C', newer, '--xattrs', '--numeric-owner', '-xpf', debianTar]);
    const made = await deb('libimagetool', {
      library: true,
      files: { 'etc/imagetool.conf': '[tool]\nlevel=1\n' },
      postinst: `useradd --system --uid 851 --no-create-home imagetool; ${alternative('libimagetool', 20)}`,
    });
    const archives = readdirSync(join(debianUpgrade, 'repo'))
      .filter((name) => upgraded.some((each) => name.startsWith(`${each}_`)))
      .map((name) => `/run/update/repo/${name}`);
    await inFlat(newer, `dpkg -i ${archives.join(' ')} /run/debs/libimagetool.deb`);
    expect(existsSync(made)).toBe(true);
    newVersions = versionsOf(await inFlat(newer, query));
    await lamina.run('init');
    const layout = new Layout(join(scratch, 'layout'));
    const image = (tar: Buffer) => layout.image([{ blob: tar, diffId: sha256(tar), mediaType: types.layer }]);
    await lamina.run('base', 'import', 'debian', layout.name('old', image(readFileSync(debianTar))));
    const tar = join(scratch, 'newer.tar');
    execFileSync('tar', ['-C', newer, '--numeric-owner', '--xattrs', '--format=posix', '-cf', tar, '.']);
    layout.name('new', image(readFileSync(tar)));
    for (const name of ['greets', 'links', 'counts', 'pinned']) await lamina.run('create', name, '--base', 'debian');
    const [greeter, libown, accounts] = [
      await deb('greeter', {
        depends: 'openssl',
        files: { 'etc/greeter.conf': 'greeting=hello\n', 'usr/share/greeter/words': 'hello\n' },
        conffiles: ['/etc/greeter.conf'],
      }),
      await deb('libown', { library: true, postinst: alternative('libown', 30) }),
      await deb('accounts', {
        postinst: 'useradd --system --uid 850 --no-create-home accounts; echo /usr/bin/rsync >>/etc/shells',
        files: { 'usr/share/accounts/list': 'x\n' },
      }),
    ];
    await install('greets', greeter, 'echo greeting=moin >/etc/greeter.conf; apt-mark hold sudo');
    await install('links', libown);
    await install('counts', accounts);
    const rsync = versionsOf(await lamina.inside('pinned', query))['rsync'] ?? '';
    await install('pinned', await deb('pinned', { depends: `rsync (= ${rsync})` }));
    const done = await lamina.attempt(
      ...['--json', 'update', 'apply', 'debian', `oci:${layout.directory}:new`, '--on-failure', 'skip'],
    );
    stderr = done.stderr;
    expect({ code: done.code, stderr }).toMatchObject({ code: 6 });
    ({ effects } = (JSON.parse(done.stdout) as { update: { effects: typeof effects } }).update);
  }, 240_000);
  afterAll(() => {
    unmountBelow(scratch);
    rmSync(scratch, { recursive: true, force: true });
  });

  it('brings the three along, and leaves behind by name the one that needs an old package', () => {
    expect(effects.map(({ container, outcome }) => [container, outcome])).toEqual([
      ['counts', 'changed'],
      ['greets', 'changed'],
      ['links', 'changed'],
      ['pinned', 'failed'],
    ]);
    expect(stderr).toMatch(/pinned.*'pinned' depends on 'rsync \(= /);
  });

  it.each([
    ['greets', 'greeter'],
    ['links', 'libown'],
    ['counts', 'accounts'],
  ])('leaves %s with sound packages: those of the image, and its own %s', async (container, own) => {
    expect(await lamina.inside(container, 'dpkg --audit; apt-get check >/dev/null')).toBe('');
    expect(versionsOf(await lamina.inside(container, query))).toEqual({ ...newVersions, [own]: '1.0' });
    expect(
      await lamina.inside(container, `dpkg --verify ${upgraded.join(' ')} libimagetool; dpkg -L ${own} | tail -1`),
    ).toMatch(/^\/.*\n$/);
  });

  it('keeps what each changed, beside what the image changed in the same file', async () => {
    expect(await lamina.inside('greets', 'cat /etc/greeter.conf; apt-mark showhold')).toBe('greeting=moin\nsudo\n');
    const own = "ldconfig -p | grep -oE '^\\s*lib(own|imagetool).so.1' | sort";
    expect(await lamina.inside('links', own)).toBe('\tlibimagetool.so.1\n\tlibown.so.1\n');
    expect(await lamina.inside('links', 'readlink /etc/alternatives/pager; update-alternatives --list pager')).toMatch(
      /^\/usr\/lib\/libown.so.1\n(?:.*\n)*\/usr\/lib\/libimagetool.so.1\n/,
    );
    expect(await lamina.inside('counts', 'id -u accounts; id -u imagetool; tail -1 /etc/shells')).toBe(
      '850\n851\n/usr/bin/rsync\n',
    );
    expect(await lamina.inside('counts', 'pwck -qr; grpck -qr; find / -xdev -name "*.lamina-new*"')).toBe('');
  });

  it('shows a new container the image as it is, and is taken back', async () => {
    await lamina.run('create', 'fresh', '--base', 'debian');
    expect(differences(await lamina.mounted('fresh', snapshot), snapshot(newer))).toEqual(new Map());
    await lamina.run('remove', 'fresh');
    const [update = ''] = lines(await lamina.run('update', 'list')).filter((line) => line.includes('layout-new'));
    expect(update).not.toBe('');
    await lamina.run('rollback', 'layout-new');
    expect(
      await lamina.inside('links', 'dpkg --audit; apt-get check >/dev/null; ldconfig -p | grep -c imagetool || true'),
    ).toBe('0\n');
  });
});
