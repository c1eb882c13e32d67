import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { prepare, publicDriver } from '../support/clients/prepare.js';
import { Session } from '../support/clients/session.js';
import type { Taken } from '../support/clients/session.js';
import { othersOf, stepsOf } from '../support/clients/steps.js';
import type { Who } from '../support/clients/steps.js';
import { otherDrivers, untried } from '../support/clients/untried.js';
import { checkout, isRoot } from '../support/lamina.js';
import { buildDebian, debianTar } from './debian-oracle.js';

const laminafs = process.env['LAMINA_LAMINAFS'] ?? join(checkout, 'dist/laminafs');
const programs = ['podman', 'buildah', 'skopeo', 'runc', 'crun', 'fuse-overlayfs', 'newuidmap'];
const missing = programs.filter((name) => spawnSync('sh', ['-c', `command -v ${name}`]).status !== 0);
const requirement = !isRoot ? ' (needs root)' : missing.length === 0 ? '' : ` (needs ${missing.join(', ')})`;

describe.skipIf(requirement !== '')(
  `other people's programs with laminafs as their mount program${requirement}`,
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

    describe.each<Who>(['root', 'user'])('as %s', (who) => {
      const all = stepsOf(who);
      const seen = new Map<string, Map<string, Taken>>();

      beforeAll(async () => {
        const drivers = [{ name: 'laminafs', program: publicDriver(laminafs, place) }, ...othersOf(who)];
        await Promise.all(
          drivers.map(async (driver) => {
            const directory = join(place, who, driver.name);
            mkdirSync(directory, { recursive: true });
            seen.set(driver.name, await new Session(directory, driver, who, join(place, 'tars')).take(all));
          }),
        );
      }, 600_000);

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
    });
  },
);
