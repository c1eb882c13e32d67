import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildTiny, checkout, isRoot, run } from '../support/lamina.js';

const { version } = JSON.parse(readFileSync(join(checkout, 'package.json'), 'utf8')) as { version: string };
const aMinute = 60_000;

interface Bom {
  readonly components: readonly { readonly name: string; readonly version: string; readonly purl: string }[];
}

/**
 * What stands for the machine of somebody who installs: the package, and a root that has seen nothing of this checkout.
 */
describe.skipIf(!isRoot)('what scripts/package makes', { timeout: 5 * aMinute }, () => {
  const scratch = realpathSync(mkdtempSync(join(tmpdir(), 'lamina-package-')));
  const root = join(scratch, 'root');
  let npmFile: string;
  let debFile: string;

  beforeAll(() => {
    const made = execFileSync(join(checkout, 'scripts/package'), { encoding: 'utf8' }).trim().split('\n');
    [npmFile = '', debFile = ''] = made.map((path) => join(checkout, path));
    execFileSync(join(checkout, 'images/fresh/build'), [root, debFile]);
    buildTiny(join(root, 'root/tiny.tar'));
  }, 5 * aMinute);
  afterAll(() => {
    rmSync(scratch, { recursive: true, force: true });
  });

  /** A script in the fresh root, as on a machine that was started from it. */
  async function inside(script: string): Promise<string> {
    const enter = `
      mount --bind "$1" "$1" && cd "$1"
      mount --rbind /dev dev && mount -t proc proc proc && mkdir -p old && pivot_root . old
      exec chroot . sh -ec 'umount -l /old; cd /root; '"$2"`;
    const args = ['--mount', '--propagation', 'private', '--', 'env', '-i', 'PATH=/usr/sbin:/usr/bin:/sbin:/bin'];
    const done = await run('unshare', [...args, 'sh', '-ec', enter, 'sh', root, script]);
    if (done.code !== 0) throw new Error(`${script} ended with ${String(done.code)}:\n${done.stdout}${done.stderr}`);
    return Buffer.from(done.stdout, 'latin1').toString('utf8');
  }

  it('runs in a fresh Debian, which has neither Node.js nor a compiler', async () => {
    expect(await inside('! command -v node && ! command -v cc && lamina --version && laminafs --version')).toBe(
      `${version}\nlaminafs ${version}\n`,
    );
  });

  it('does there what it is for', async () => {
    const printed = await inside(`
      lamina init; lamina base import tiny tiny.tar; lamina create web --base tiny
      lamina run web -- sed -i "s/^port = .*/port = 9090/" /etc/app.conf
      printf "#!/bin/sh\\nsed -i \\"s/^workers = .*/workers = 4/\\" /etc/app.conf\\n" >upgrade; chmod +x upgrade
      lamina update apply tiny ./upgrade
      lamina run web -- cat /etc/app.conf; lamina rollback upgrade; lamina run web -- cat /etc/app.conf; lamina verify`);
    expect(printed.match(/^(port|workers) = .*$/gm)).toEqual([
      'port = 9090',
      'workers = 4',
      'port = 9090',
      'workers = 2',
    ]);
  });

  it('brings man pages, completion, a unit, and says what is in it', async () => {
    const pages = await inside('gzip -dc /usr/share/man/man1/lamina-run.1.gz /usr/share/man/man8/laminafs.8.gz');
    expect(pages).toMatch(/^\.TH LAMINA-RUN 1 [\s\S]*^\.TH LAMINAFS 8 /m);
    const complete = '. /usr/share/bash-completion/completions/lamina; complete -p lamina';
    expect(await inside(`bash -c "${complete}"; lamina __complete umo`)).toMatch(
      /^complete -F _lamina lamina\numount\t/,
    );
    expect(await inside('cat /lib/systemd/system/lamina-agent.service')).toContain(
      'ExecStart=/usr/bin/env lamina agent',
    );
    expect(await inside('cat /lib/systemd/system/lamina-watch.service')).toContain(
      'ExecStart=/usr/bin/env lamina watch',
    );
    expect(await inside('/sbin/mount.lamina nobody /mnt 2>&1 || echo "ended with $?"')).toMatch(
      /'nobody'[^]*ended with 32\n$/,
    );
    const bom = JSON.parse(await inside('cat /usr/share/doc/lamina/sbom.cdx.json')) as Bom;
    expect(bom.components.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['commander', 'libxxhash-dev', 'node']),
    );
    expect(bom.components.every((each) => each.version !== '' && each.purl.startsWith('pkg:'))).toBe(true);
  });

  it('leaves nothing but a store behind when it is purged', async () => {
    await inside('dpkg --purge lamina; test ! -e /usr/lib/lamina; test ! -e /usr/bin/lamina; test -e /var/lib/lamina');
  });

  it('is installed by npm without a registry', async () => {
    const prefix = join(scratch, 'npm');
    const install = ['install', '--global', '--offline', '--no-audit', '--prefix', prefix, npmFile];
    const installed = await run('npm', install);
    expect({ code: installed.code, stderr: installed.stderr }).toEqual({ code: 0, stderr: '' });
    const env = { PATH: process.env['PATH'], LAMINA_STORE: join(scratch, 'store') };
    const lamina = (...args: string[]) => spawnSync(join(prefix, 'bin/lamina'), args, { env, encoding: 'utf8' });
    expect(lamina('--version').stdout).toBe(`${version}\n`);
    expect(lamina('init').status).toBe(0);
    expect(lamina('base', 'import', 'tiny', join(root, 'root/tiny.tar')).status).toBe(0);
    const helper = spawnSync(join(prefix, 'bin/mount.lamina'), ['nobody', scratch], { env, encoding: 'utf8' });
    expect([helper.status, helper.stderr]).toEqual([32, expect.stringContaining("'nobody'") as string]);
    const driver = spawnSync(join(prefix, 'bin/laminafs'), ['--version'], { encoding: 'utf8' });
    expect(driver.stdout).toBe(`laminafs ${version}\n`);
    expect(readFileSync(join(prefix, 'share/man/man1/lamina-run.1'), 'utf8')).toContain('.TH LAMINA-RUN 1');
  });

  it('is for machines of this kind, and wants nothing else of npm', () => {
    const manifest = JSON.parse(
      execFileSync('tar', ['-xzOf', npmFile, 'package/package.json'], { encoding: 'utf8' }),
    ) as object;
    expect(manifest).toMatchObject({ version, cpu: [process.arch], libc: ['glibc'] });
    for (const absent of ['private', 'scripts', 'dependencies']) expect(manifest).not.toHaveProperty(absent);
  });
});
