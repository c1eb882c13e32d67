import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildDebian, debianTar } from '../../e2e/debian-oracle.js';
import { checkout, isRoot } from '../lamina.js';
import { prepare, publicDriver } from './prepare.js';
import { Session } from './session.js';
import type { Taken } from './session.js';
import { everything, othersOf, stepsOf } from './steps.js';
import type { Who } from './steps.js';
import { otherDrivers, untried } from './untried.js';

const laminafs = process.env['LAMINA_LAMINAFS'] ?? join(checkout, 'dist/laminafs');
const programs = ['podman', 'buildah', 'skopeo', 'runc', 'crun', 'fuse-overlayfs', 'newuidmap'];
const missing = programs.filter((name) => spawnSync('sh', ['-c', `command -v ${name}`]).status !== 0);
const requirement = !isRoot ? ' (needs root)' : missing.length === 0 ? '' : ` (needs ${missing.join(', ')})`;

/** Other people's programs, as root or as user 1000: each takes about a minute, so they are files of their own. */
export function clientsAs(who: Who): void {
  describe.skipIf(requirement !== '')(
    `other people's programs with laminafs as their mount program${requirement}, as ${who}`,
    () => {
      let place: string;
      beforeAll(async () => {
        place = mkdtempSync(join(tmpdir(), 'lamina-clients-'));
        chmodSync(place, 0o755);
        await buildDebian();
        prepare(join(place, 'tars'), debianTar);
      }, 300_000);
      afterAll(() => {
        rmSync(place, { recursive: true, force: true });
      });

      const all = stepsOf(who);
      const seen = new Map<string, Map<string, Taken>>();

      beforeAll(
        async () => {
          const drivers = [{ name: 'laminafs', program: publicDriver(laminafs, place) }, ...othersOf(who)];
          await Promise.all(
            drivers.map(async (driver) => {
              const directory = join(place, who, driver.name);
              mkdirSync(directory, { recursive: true });
              seen.set(driver.name, await new Session(directory, driver, who, join(place, 'tars')).take(all));
            }),
          );
        },
        everything ? 600_000 : 180_000,
      );

      it.for(all.map(({ name }) => name))('%s', (name, { skip }) => {
        const of = (driver: string) => seen.get(driver)?.get(name) ?? { code: -1, stdout: '', stderr: 'not taken' };
        const ours = of('laminafs');
        const others = othersOf(who)
          .map(({ name: driver }) => driver)
          .filter(
            (driver) =>
              !otherDrivers.some((each) => each.step === name && each.who.includes(who) && each.driver === driver),
          )
          .map((driver) => ({ driver, ...of(driver) }));
        const entry = untried.find((each) => each.step === name && each.who.includes(who));
        if (entry !== undefined && others.every(({ code, stderr }) => code !== 0 && entry.says.test(stderr)))
          skip(`needs ${entry.requirement}`);
        for (const { driver, code, stdout, stderr } of others) {
          expect({ driver, code, stdout, stderr: code === 0 ? '' : stderr }).toEqual({
            driver,
            code: 0,
            stdout,
            stderr: '',
          });
          expect({ code: ours.code, stdout: ours.stdout, stderr: ours.code === 0 ? '' : ours.stderr }).toEqual({
            code,
            stdout,
            stderr: '',
          });
        }
        expect(ours.code).toBe(0);
      });
    },
  );
}
