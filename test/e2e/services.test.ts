import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { World, checkout, isRoot, run } from '../support/lamina.js';
import type { Finished } from '../support/lamina.js';
import { buildDebian, debianTar, succeed } from './debian-oracle.js';

/** `LAMINA_SERVICES=all` tries the databases, too, for which a root is built. */
const isAll = process.env['LAMINA_SERVICES'] === 'all';
const servicesTar = join(checkout, 'build/images/services.tar');
const exercise = readFileSync(join(checkout, 'images/services/exercise'), 'utf8');

/** Of each service, what it measures. */
const figures: Readonly<Record<string, readonly string[]>> = {
  nginx: ['requests'],
  sshd: ['logins'],
  git: ['pushed-files', 'cloned-files'],
  ...(isAll ? { postgresql: ['transactions', 'reads', 'vacuumed-rows'], mariadb: ['inserts'], redis: ['sets'] } : {}),
};

/** The ways in which a root is mounted. */
const ways: readonly (readonly string[])[] = isAll ? [[], ['--mode', 'passthrough'], ['--engine', 'kernel']] : [[]];

describe.skipIf(!isRoot)('services of Debian in a container', { timeout: 300_000 }, () => {
  let world: World;
  let point: string;

  beforeAll(async () => {
    if (isAll) await succeed(join(checkout, 'images/services/build'), []);
    else await buildDebian();
    world = new World('services');
    point = world.makeDirectory('point');
    await world.run('init');
    await world.run('base', 'import', 'services', isAll ? servicesTar : debianTar);
  }, 600_000);
  afterAll(() => {
    const left = world.mounts();
    world.remove();
    expect(left).toEqual([]);
  });

  async function withMount(container: string, words: readonly string[], work: () => Promise<void>): Promise<void> {
    await world.run('mount', ...words, container, point);
    try {
      await work();
    } finally {
      await world.run('umount', container);
    }
  }

  /** What the exercise printed: every figure of the service, and more than nothing a second. */
  function expectFigures(service: string, { code, stdout, stderr }: Finished): void {
    expect(code, `${service}: ${stderr}`).toBe(0);
    const printed = [...stdout.matchAll(/^figure (\S+) ([0-9.]+)$/gm)];
    expect(printed.map(([, name]) => name)).toEqual(figures[service]);
    for (const [, , value] of printed) expect(Number(value)).toBeGreaterThan(0);
  }

  for (const [i, way] of ways.entries())
    it(`work in a root by lamina mount --suid ${way.join(' ')}`, async () => {
      const container = `mounted-${i}`;
      await world.run('create', container, '--base', 'services');
      await withMount(container, ['--suid', ...way], async () => {
        for (const service of Object.keys(figures))
          expectFigures(service, await run(join(checkout, 'images/services/in-root'), [point, service]));
      });
      // What they wrote is the container's.
      await withMount(container, [], async () => {
        expect(existsSync(join(point, 'srv/clone/file-199'))).toBe(true);
        expect(readFileSync(join(point, 'home/walker/file'), 'utf8')).toBe('there\n');
        await Promise.resolve();
      });
    });

  it('work in the sandbox of lamina run', async () => {
    await world.run('create', 'sandboxed', '--base', 'services');
    for (const service of Object.keys(figures)) {
      const command = ['--', 'sh', '-c', exercise, 'exercise', service];
      expectFigures(service, await world.attempt('run', '--no-new-privileges=false', 'sandboxed', ...command));
    }
  });

  it('that need set-uid programs are refused them without --suid', async () => {
    await world.run('create', 'plain', '--base', 'services');
    await withMount('plain', [], async () => {
      const done = await run('chroot', ['--userspec=65534:65534', point, 'sudo', '-n', 'true']);
      expect(done.code).not.toBe(0);
      expect(done.stderr).toContain('nosuid');
    });
  });
});
