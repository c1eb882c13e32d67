import { lstatSync, mkdirSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { fromText } from '../../src/base/bytes.js';
import { setTimesSync } from '../../src/platform/native.js';
import { World, buildTiny, mayMount } from '../support/lamina.js';

/**
 * Nanoseconds; what ext4 holds, but for the first and the last second, to which the kernel brings what is beyond them.
 */
const times = fc.bigInt({ min: (1n - 2n ** 31n) * 10n ** 9n, max: (2n ** 34n - 2n ** 31n - 1n) * 10n ** 9n - 1n });

describe.skipIf(!mayMount)('times of any year', { timeout: 600_000 }, () => {
  const worlds: World[] = [];
  afterEach(() => {
    for (const world of worlds.splice(0)) world.remove();
  });

  it('stay to the nanosecond through import, copy-up, update, rollback and merge', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(times, { minLength: 20, maxLength: 20 }), async (wanted) => {
        const world = new World('far-times');
        worlds.push(world);
        const root = buildTiny(world.path('tiny'));
        const names = wanted.map((_, i) => `f${i}`);
        const below = (directory: string) =>
          names.map((name) => lstatSync(`${directory}/${name}`, { bigint: true }).mtimeNs);
        const setAll = (directory: string) => {
          names.forEach((name, i) => {
            writeFileSync(`${directory}/${name}`, name);
            setTimesSync(fromText(`${directory}/${name}`), { mtimeNs: wanted[i]! });
          });
        };
        mkdirSync(`${root}/srv/base`);
        setAll(`${root}/srv/base`);
        await world.run('init');
        await world.run('base', 'import', 'tiny', root);
        await world.run('create', 'web', '--base', 'tiny');
        await world.run('create', 'other', '--base', 'tiny');
        await world.mounted('web', (mounted) => {
          mkdirSync(`${mounted}/srv/own`);
          setAll(`${mounted}/srv/own`);
        });
        const update = `chmod 600 /srv/base/*; if [ -e /srv/own ]; then mv /srv/own /srv/moved; chmod 640 /srv/moved/f0; fi`;
        await world.run('update', 'apply', 'tiny', world.script('u', update));
        const shown = () =>
          world.mounted('web', (mounted) => [below(`${mounted}/srv/base`), below(`${mounted}/srv/moved`)]);
        expect(await shown()).toEqual([wanted, wanted]);
        expect(await world.mounted('other', (mounted) => below(`${mounted}/srv/base`))).toEqual(wanted);
        await world.run('rollback', 'u');
        expect(await world.mounted('web', (mounted) => below(`${mounted}/srv/own`))).toEqual(wanted);
        await world.run('update', 'apply', 'tiny', world.script('again', update));
        await world.run('merge', 'tiny', '--yes');
        expect(await shown()).toEqual([wanted, wanted]);
        expect(await world.json('verify')).toMatchObject({ findings: [] });
      }),
      { numRuns: 1, endOnFailure: true },
    );
  });
});
