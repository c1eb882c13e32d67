import { copyFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildDebian, debianTar, debianUpgrade } from './debian-oracle.js';
import { missingForPage, PageWorld } from '../support/page-world.js';
import { expectSoon } from '../support/soon.js';

/** LAMINA_PAGE_DEBIAN=1: with the upgrade of all packages, which takes minutes, in place of one package. */
const isWhole = process.env['LAMINA_PAGE_DEBIAN'] !== undefined;
const patience = 600_000;

describe.runIf(missingForPage() === null)('an upgrade of a Debian root on the page', () => {
  let on: PageWorld;
  let procedure: string;

  beforeAll(async () => {
    await buildDebian();
    on = new PageWorld('page-debian');
    procedure = isWhole ? debianUpgrade : onePackage();
    await on.world.run('init');
    await on.world.run('base', 'import', 'debian', debianTar);
    await on.world.run('create', 'web', '--base', 'debian');
    await on.world.run('create', 'plain', '--base', 'debian');
    // dpkg lists this directory, so the upgrade must run in web, too.
    await on.world.inside('web', `echo '# own' >/etc/dpkg/dpkg.cfg.d/own; echo mine >/etc/motd`);
    await on.start();
    on.page.setDefaultTimeout(patience);
  }, patience);
  afterAll(async () => {
    await on.stop();
    expect(on.world.mounts()).toEqual([]);
    expect(on.complaints).toEqual([]);
    on.world.remove();
  });

  /** A package of the upgrade with a maintainer's script, and the program that installs it. */
  function onePackage(): string {
    const directory = on.world.makeDirectory('upgrade');
    const file = readdirSync(join(debianUpgrade, 'repo')).find((name) => name.startsWith('bsdutils_'))!;
    copyFileSync(join(debianUpgrade, 'repo', file), join(directory, 'one.deb'));
    writeFileSync(join(directory, 'update.json'), JSON.stringify({ version: 1, name: 'upgrade', procedure: 'run' }));
    // The container has a motd of its own, so what is written is another file there.
    const install = '#!/bin/sh\ncp /etc/motd /etc/motd.before\nexec dpkg --install /run/lamina/procedure/one.deb\n';
    writeFileSync(join(directory, 'run'), install, { mode: 0o755 });
    return directory;
  }

  const button = (name: string) => on.page.getByRole('button', { name, exact: true });
  const dialog = () => on.page.getByRole('dialog');
  const ended = () => dialog().getByRole('status').filter({ hasText: 'done' }).waitFor({ timeout: patience });
  const confirm = async (name: string) => {
    await button(name).first().click();
    await dialog().getByRole('button', { name, exact: true }).click();
    await ended();
    await on.page.keyboard.press('Escape');
  };
  const version = async () => (await on.world.inside('web', `dpkg-query -W -f '\${Version}' bsdutils`)).trim();

  it('is previewed, applied, looked at and rolled back', { timeout: patience }, async () => {
    const before = await version();
    await on.open('#/apply?name=upgrade');
    await on.page.getByRole('textbox', { name: /^Procedure/ }).fill(procedure);
    await button('Preview').click();
    await button('Apply').waitFor();
    expect(await on.text()).toMatch(/Base debian/);
    await confirm('Apply');
    const after = await version();
    expect(after).not.toBe(before);

    await on.open('#/updates/upgrade');
    expect(await on.text()).toMatch(/1 changed, 1 skipped|2 changed/);
    await on.open('#/updates/upgrade/operations');
    await expectSoon(async () => /operations by \d+ processes[\s\S]*dpkg/.test(await on.text()), 'the processes');
    await on.picture('timeline');
    await on.open('#/updates/upgrade/changes');
    await expectSoon(async () => (await on.page.locator('.tree .row').count()) > 3, 'the changes');
    await on.open('#/graph/debian');
    expect(await on.page.locator('g.box.delta-layer').count()).toBe(1);
    await on.picture('graph-debian');

    await on.open('#/updates/upgrade/rollback');
    await button('Roll back').waitFor();
    await confirm('Roll back');
    expect(await version()).toBe(before);
    expect(await on.world.inside('web', 'cat /etc/motd')).toBe('mine\n');
    expect(await on.world.json('update', 'list')).toMatchObject({ updates: [] });
  });
});
