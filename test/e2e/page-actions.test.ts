import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fillStore } from '../support/page-store.js';
import { missingForPage, PageWorld, startPatience } from '../support/page-world.js';
import { expectSoon } from '../support/soon.js';

interface Status {
  readonly containers: readonly { readonly name: string; readonly behind: readonly string[] }[];
  readonly updates: readonly { readonly name: string; readonly state: string }[];
}

describe.runIf(missingForPage() === null)('on the page one can', () => {
  let on: PageWorld;

  beforeAll(async () => {
    on = new PageWorld('page-actions');
    await fillStore(on.world);
    await on.start();
  }, startPatience);
  afterAll(async () => {
    await on.stop();
    expect(on.world.mounts()).toEqual([]);
    expect(on.complaints).toEqual([]);
    on.world.remove();
  });

  const status = () => on.world.json<Status>('status');
  const button = (name: string) => on.page.getByRole('button', { name, exact: true });
  const procedure = () => on.page.getByRole('textbox', { name: /^Procedure/ });
  const dialog = () => on.page.getByRole('dialog');
  const ended = (state: string) =>
    expectSoon(async () => (await dialog().getByRole('status').innerText()).includes(state), `the end: ${state}`);
  const type = async (label: string, text: string) => on.page.getByLabel(label).fill(text);

  it('see what an update would do, and then apply it, without a pointer', async () => {
    const script = on.world.script('by-page', `sed -i 's/^workers = .*/workers = 8/' /etc/app.conf; echo by page`);
    await on.open('#/updates');
    const { keyboard } = on.page;
    await on.page.getByRole('link', { name: 'Apply update' }).focus();
    await keyboard.press('Enter');
    await on.page.getByRole('heading', { name: 'Apply update' }).waitFor();
    await procedure().focus();
    await keyboard.type(script);
    await keyboard.press('Enter');
    await button('Apply').waitFor();
    await on.picture('preview');
    expect(await on.text()).toMatch(/Base tiny[^]*workers\s+6\s+8[^]*2 containers alike[^]*workers\s+6\s+8/);
    expect((await status()).updates.map(({ name }) => name)).not.toContain('by-page');
    await button('Apply').focus();
    await keyboard.press('Enter');
    await dialog().waitFor();
    await keyboard.press('Tab');
    for (let steps = 0; steps < 6; steps++) {
      if ((await on.page.evaluate<string>('document.activeElement.textContent')) === 'Apply') break;
      await keyboard.press('Tab');
    }
    await keyboard.press('Enter');
    await ended('done');
    await keyboard.press('Escape');
    await on.page.getByRole('heading', { name: 'Updates', level: 1 }).waitFor();
    await expectSoon(async () => (await on.text()).includes('by-page'), 'the update in the list');
    expect((await status()).updates.find(({ name }) => name === 'by-page')?.state).toBe('committed');
    expect(await on.world.inside('web', 'grep workers /etc/app.conf')).toBe('workers = 8\n');
  });

  it('follow a job live, and cancel it: nothing is changed', async () => {
    const script = on.world.script('slow', `echo started; sleep 300`);
    await on.open('#/apply');
    await procedure().fill(script);
    await button('Preview').click();
    await expectSoon(async () => (await on.text()).includes('started'), 'the output of the procedure');
    await button('Cancel').click();
    await expectSoon(async () => /cancelled/.test(await on.text()), 'the end');
    expect((await status()).updates.map(({ name }) => name)).not.toContain('slow');
  });

  it('see what a rollback would displace, before it is done', async () => {
    await on.world.inside('shop-2', 'sed -i "s/^workers = .*/workers = 99/" /etc/app.conf');
    await on.open('#/updates/by-page/rollback');
    await button('Roll back').waitFor();
    await on.picture('rollback');
    expect(await on.text()).toMatch(/Displaces 1 path in 1 container[^]*Displaced\s+shop-2: 1 path\s+\/etc\/app\.conf/);
    await button('Roll back').first().click();
    await dialog().getByRole('button', { name: 'Roll back', exact: true }).click();
    await ended('done');
    await dialog().getByRole('button', { name: 'Close', exact: true }).first().click();
    expect((await status()).updates.map(({ name }) => name)).not.toContain('by-page');
    await on.open('#/displaced');
    await expectSoon(async () => /shop-2[^]*by-page/.test(await on.text()), 'what was displaced');
  });

  it('restore what was displaced, and drop it', async () => {
    await on.open('#/displaced');
    await button('Restore what was displaced in shop-2').click();
    await dialog().getByLabel('Replace what is in the way in the container').check();
    await on.picture('restore');
    await dialog().getByRole('button', { name: 'Restore', exact: true }).click();
    await ended('done');
    await on.page.keyboard.press('Escape');
    expect(await on.world.inside('shop-2', 'grep workers /etc/app.conf')).toBe('workers = 99\n');
    await button('Drop what was displaced in shop-2').click();
    await dialog().getByRole('button', { name: 'Drop', exact: true }).click();
    await ended('done');
    await on.page.keyboard.press('Escape');
    await expectSoon(async () => (await on.text()).includes('Nothing is displaced'), 'the empty list');
    expect(await on.world.json('displaced', 'list')).toMatchObject({ displaced: [] });
  });

  it('apply an update again that was rolled back, and read what it printed', async () => {
    await on.open('#/updates');
    await on.page.getByRole('link', { name: 'by-page', exact: true }).click();
    await button('Apply again').click();
    await dialog().getByRole('button', { name: 'Apply again', exact: true }).click();
    await ended('done');
    await on.page.keyboard.press('Escape');
    expect((await status()).updates.find(({ name }) => name === 'by-page')?.state).toBe('committed');
    await on.open('#/updates/by-page/operations');
    await on.page.getByText('Output, 8 B').click();
    expect(await on.page.getByLabel('Output', { exact: true }).innerText()).toBe('by page\n');
  });

  it('mount a container, and unmount it', async () => {
    const root = on.world.makeDirectory('by-page');
    await on.open('#/containers/web');
    await button('Mount').click();
    await dialog().getByLabel('Directory on the server').fill(root);
    await on.picture('mount');
    await dialog().getByRole('button', { name: 'Mount', exact: true }).click();
    await ended('done');
    await on.page.keyboard.press('Escape');
    await expectSoon(async () => (await on.text()).includes(root), 'where it is mounted');
    expect(readFileSync(`${root}/etc/app.conf`, 'utf8')).toContain('port');
    await button('Unmount').click();
    await dialog().getByRole('button', { name: 'Unmount', exact: true }).click();
    await ended('done');
    await on.page.keyboard.press('Escape');
    expect(on.world.mounts()).toEqual([]);
  });

  it('import a base', async () => {
    await on.open('#/graph');
    await on.page.getByRole('link', { name: 'Import base' }).click();
    await type('Name', 'copy');
    await on.page.getByRole('textbox', { name: /^Source/ }).fill(on.world.path('tiny'));
    await on.picture('import');
    await button('Import base').click();
    await on.page.getByRole('heading', { name: 'Graph of base copy' }).waitFor();
    expect(await on.world.json('base', 'list')).toMatchObject({ bases: [{ name: 'copy' }, { name: 'tiny' }] });
  });

  it('see that no channel is published from here', async () => {
    await on.open('#/fleet');
    expect(await on.text()).toMatch(/No channel is published from here[^]*lamina serve --channel/);
  });

  it('bring a container to the newest layer', async () => {
    await on.open('#/containers/late');
    await button('Catch up').click();
    await dialog().getByRole('button', { name: 'Catch up', exact: true }).click();
    await ended('done');
    await dialog().getByRole('button', { name: 'Close', exact: true }).first().click();
    await expectSoon(async () => (await on.text()).includes('newest'), 'the new state');
    expect((await status()).containers.find(({ name }) => name === 'late')?.behind).toEqual([]);
  });

  it('create a container, and remove it', async () => {
    await on.open('#/create');
    await type('Name', 'made');
    await button('Create container').click();
    await on.page.getByRole('heading', { level: 1, name: 'made' }).waitFor();
    await on.settled();
    await button('Remove container').click();
    await dialog().getByRole('button', { name: 'Remove container' }).click();
    await ended('done');
    await on.page.keyboard.press('Escape');
    await on.page.getByRole('heading', { level: 1, name: 'Containers' }).waitFor();
    expect((await status()).containers.map(({ name }) => name)).not.toContain('made');
  });

  it('read the same error as on the command line, with what to do', async () => {
    const root = on.world.makeDirectory('mnt', 'db');
    await on.world.run('mount', 'db', root);
    try {
      await on.open('#/containers/db');
      await button('Remove container').click();
      await dialog().getByRole('button', { name: 'Remove container' }).click();
      await ended('failed');
      const { error } = JSON.parse((await on.world.attempt('--json', 'remove', 'db')).stdout) as {
        error: { message: string; hint: string };
      };
      expect(await dialog().innerText()).toContain(error.message);
      expect(await dialog().innerText()).toContain(error.hint);
      await on.page.keyboard.press('Escape');
      await dialog().waitFor({ state: 'detached' });
    } finally {
      await on.world.run('umount', 'db');
    }
  });

  it('merge a base, after a look at the plan; the graph is then as the plan drew it', async () => {
    const shapes = async () =>
      (
        await on.page
          .locator('g.box')
          .evaluateAll((all) =>
            all.map((each) =>
              (each as unknown as { getAttribute(name: string): string })
                .getAttribute('class')
                .replace(/ (lit|selected|new|goes)/g, ''),
            ),
          )
      ).sort();
    await on.open('#/graph/tiny?plan=merge&show=after');
    await expectSoon(async () => (await on.page.locator('g.box.new').count()) > 0, 'the plan');
    const planned = await shapes();
    await on.page.getByRole('link', { name: 'To the merge' }).click();
    await button('Merge').click();
    await dialog().getByRole('button', { name: 'Merge', exact: true }).click();
    await ended('done');
    await on.page.keyboard.press('Escape');
    await on.open('#/graph/tiny');
    await expectSoon(
      async () => (await on.page.locator('g.box.delta-layer').count()) === 0,
      'the graph without the layers',
    );
    expect(await shapes()).toEqual(planned);
  });

  it('find every action in the audit log, with its outcome', async () => {
    await on.open('#/activity/audit');
    await on.picture('audit');
    expect(await on.text()).toMatch(
      /merge[^]*remove[^]*failed[^]*create[^]*update catch-up[^]*base import[^]*umount[^]*mount[^]*update redo[^]*displaced drop[^]*displaced restore[^]*rollback[^]*cancelled[^]*update apply/,
    );
    await on.open('#/activity');
    await on.page.getByRole('link', { name: 'merge', exact: true }).first().click();
    await expectSoon(async () => (await on.text()).includes('saved'), 'the result of the job');
  });

  it('see what others change at once, and go on after the server was started again', async () => {
    await on.open('#/containers');
    await on.world.run('create', 'from-shell', '--base', 'tiny');
    await expectSoon(async () => (await on.text()).includes('from-shell'), 'the new container');
    const { port } = new URL(on.url);
    await on.stopServer();
    await expectSoon(async () => (await on.text('header.top')).includes('connection lost'), 'the sign');
    await on.world.run('create', 'meanwhile', '--base', 'tiny');
    await on.serve(['--allow-changes'], `127.0.0.1:${port}`);
    // Sessions end with the server.
    await on.page.getByLabel('Token').waitFor();
    await on.page.getByLabel('Token').fill(readFileSync(on.world.path('tokens'), 'utf8').split(/\s/)[1] ?? '');
    await button('Log in').click();
    await expectSoon(async () => (await on.text()).includes('meanwhile'), 'the container of the meantime');
  });
});
