import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildDebian, debianTar, debianUpgrade } from './debian-oracle.js';
import { expectSoon, missingForPage, PageWorld } from '../support/page-world.js';

/** The upgrade of packages takes a while, and so does reading its thousands of operations. */
const patience = 600_000;

/** It takes minutes; every step of it is taken on a small root by the other tests of the page. */
const isWanted = process.env['LAMINA_PAGE_DEBIAN'] !== undefined;

describe.runIf(isWanted && missingForPage() === null)('an upgrade of a Debian root on the page', () => {
  let on: PageWorld;

  beforeAll(async () => {
    await buildDebian();
    on = new PageWorld('page-debian');
    await on.world.run('init');
    await on.world.run('base', 'import', 'debian', debianTar);
    await on.world.run('create', 'web', '--base', 'debian');
    await on.world.run('create', 'plain', '--base', 'debian');
    await on.world.inside('web', `sed -i 's/worker_connections 768/worker_connections 4096/' /etc/nginx/nginx.conf`);
    await on.start();
    on.page.setDefaultTimeout(patience);
  }, patience);
  afterAll(async () => {
    await on.stop();
    expect(on.world.mounts()).toEqual([]);
    expect(on.complaints).toEqual([]);
    on.world.remove();
  });

  const button = (name: string) => on.page.getByRole('button', { name, exact: true });
  const dialog = () => on.page.getByRole('dialog');
  const ended = () => dialog().getByRole('status').filter({ hasText: 'done' }).waitFor({ timeout: patience });

  it('is previewed, applied, looked at and rolled back', { timeout: patience }, async () => {
    await on.open('#/apply?name=upgrade');
    await on.page.getByRole('textbox', { name: /^Procedure/ }).fill(debianUpgrade);
    await button('Preview').click();
    await button('Apply').waitFor();
    expect(await on.text()).toMatch(/Base debian/);
    await button('Apply').click();
    await dialog().getByRole('button', { name: 'Apply', exact: true }).click();
    await ended();
    await on.page.keyboard.press('Escape');

    await on.open('#/updates/upgrade/operations');
    await expectSoon(async () => /operations by \d+ processes[\s\S]*dpkg/.test(await on.text()), 'the processes');
    await on.picture('timeline');
    await on.open('#/updates/upgrade/changes');
    await expectSoon(async () => (await on.page.locator('.tree .row').count()) > 3, 'the changes');
    await on.open('#/graph/debian');
    expect(await on.page.locator('g.box.delta-layer').count()).toBe(1);
    await on.picture('graph-debian');

    await on.open('#/updates/upgrade/rollback');
    await button('Roll back').click();
    await dialog().getByRole('button', { name: 'Roll back', exact: true }).click();
    await ended();
    expect(await on.world.inside('web', 'grep -c 4096 /etc/nginx/nginx.conf')).toBe('1\n');
    expect(await on.world.json('update', 'list')).toMatchObject({ updates: [] });
  });
});
