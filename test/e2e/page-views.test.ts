import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { start } from '../support/lamina.js';
import type { Started } from '../support/lamina.js';
import { fillChannel, nastyHost } from '../support/fleet-world.js';
import type { FleetMachines } from '../support/fleet-world.js';
import { fillStore, nastyName } from '../support/page-store.js';
import { missingForPage, PageWorld, readOnlyToken, startPatience } from '../support/page-world.js';
import { expectSoon } from '../support/soon.js';

/** Every view, with each of its parts. */
const views = [
  ...['#/graph/tiny', '#/graph/tiny?node=container%20web', '#/graph/tiny?plan=merge&show=after', '#/containers'],
  ...['#/containers/web', '#/containers/web/changes?path=/etc/app.conf', '#/containers/web/explain?path=/etc/app.conf'],
  ...['#/containers/web/processes', '#/create', '#/updates', '#/updates/by-hand', '#/updates/by-hand/changes'],
  ...['#/updates/motd/operations', '#/updates/security/rollback', '#/updates/unhealthy', '#/apply', '#/displaced'],
  ...['#/merge/tiny', '#/import', '#/fleet', '#/fleet/nobody', '#/activity', '#/activity/audit', '#/nowhere'],
  ...['#/containers/nobody'],
];

describe.runIf(missingForPage() === null)('the page shows', () => {
  let on: PageWorld;
  let inside: Started;
  let machines: FleetMachines;

  beforeAll(async () => {
    on = new PageWorld('page');
    await fillStore(on.world);
    const root = on.world.makeDirectory('mnt', 'shop-1');
    await on.world.run('mount', 'shop-1', root);
    inside = start('chroot', [root, '/bin/sh', '-c', 'echo ready; read line'], { input: undefined });
    await inside.said('ready');
    ({ machines } = await fillChannel(on.world));
    await on.start(['--allow-changes', '--channel', on.world.path('channel')]);
  }, startPatience);
  afterAll(async () => {
    inside.child.stdin?.end();
    await inside.finished;
    await on.stop();
    await on.world.run('umount', 'shop-1');
    expect(on.world.mounts()).toEqual([]);
    expect(on.complaints).toEqual([]);
    on.world.remove();
  });

  const box = (name: string | RegExp) => on.page.locator('svg').getByRole('button', { name });
  const tops = () => on.page.locator('g.container .title').allTextContents();
  const link = (name: string) => on.page.getByRole('link', { name, exact: true });

  it('the layers of a base at the bottom, containers on top, and those that are alike as one', async () => {
    await on.open('#/graph');
    await on.picture('graph');
    expect(await box(/^base layer/).count()).toBe(1);
    expect(await box(/^delta layer/).count()).toBe(4);
    expect(await box(/^delta storage, security/).count()).toBe(2);
    const bottom = async (name: RegExp) => (await box(name).first().boundingBox())?.y ?? 0;
    expect(await bottom(/^base layer/)).toBeGreaterThan(await bottom(/^delta layer, security/));
    expect(await bottom(/^delta layer, security/)).toBeGreaterThan(await bottom(/^container late/));
    expect(await tops()).toHaveLength(4);
    await box(/^6 containers/).click();
    await expectSoon(async () => (await tops()).length === 9, 'the unfolded containers');
    expect(on.page.url()).toMatch(/open=/);
  });

  it('the drawing as a whole, also when the window becomes narrow', async () => {
    await on.open('#/graph');
    await on.page.setViewportSize({ width: 390, height: 780 });
    await expectSoon(async () => ((await box(/^container web/).boundingBox())?.x ?? 390) < 200, 'the first column');
    await on.page.setViewportSize({ width: 1280, height: 800 });
  });

  it('what a node is and what stands on it, and the same again by its address', async () => {
    await on.open('#/graph');
    await box(/^delta layer, by-hand/).click();
    const panel = on.page.getByRole('complementary', { name: 'Selected' });
    await expectSoon(async () => (await panel.innerText()).includes('9 containers'), 'the containers that stand on it');
    expect(await panel.innerText()).toMatch(/2 entries, 70 B[\s\S]*Depends on it/);
    const address = on.page.url();
    await on.open('#/fleet');
    await on.page.goto(address);
    await on.settled();
    expect(await box(/^delta layer, by-hand/).getAttribute('aria-pressed')).toBe('true');
    await panel.getByRole('link', { name: 'by-hand' }).click();
    await on.page.getByRole('heading', { level: 1, name: 'by-hand' }).waitFor();
  });

  it('a container that is looked for, by itself', async () => {
    await on.open('#/graph');
    await on.page.getByLabel('Search').fill('shop-4');
    await expectSoon(
      async () => (await tops()).includes('shop-4') && (await tops()).includes('5 containers'),
      'shop-4',
    );
    expect(await on.page.locator('g.found').count()).toBe(1);
  });

  it('containers with filters and an order', async () => {
    await on.open('#/containers');
    await on.picture('containers');
    const names = () => on.page.locator('.containers .name a').allInnerTexts();
    expect(await names()).toEqual(['db', 'late', 'shop-1', 'shop-2', 'shop-3', 'shop-4', 'shop-5', 'shop-6', 'web']);
    for (const [label, wanted] of [
      ['Behind', ['late']],
      ['Mounted', ['shop-1']],
      ['In conflict', ['web']],
    ] as const) {
      await on.page.getByLabel(label, { exact: true }).check();
      expect(await names()).toEqual(wanted);
      await on.page.getByLabel(label, { exact: true }).uncheck();
    }
    await on.page.getByRole('button', { name: 'Container' }).click();
    expect((await names())[0]).toBe('web');
    await on.page.getByLabel('Search').fill('hop-2');
    expect(await names()).toEqual(['shop-2']);
    await on.page.reload();
    await on.settled();
    expect(await names()).toEqual(['shop-2']);
  });

  it("a container's changes with sizes, what differs, and where it comes from; names as text", async () => {
    await on.open('#/containers/web/changes');
    const row = (name: string) => on.page.getByRole('row').filter({ hasText: name });
    expect(await row('data.bin').innerText()).toMatch(/20\.0 kB/);
    expect(await row(nastyName).count()).toBe(1);
    expect(await on.page.locator('.tree img').count()).toBe(0);
    await row(nastyName).getByRole('button').click();
    await on.page.getByRole('heading', { name: `/opt/own/${nastyName}` }).waitFor();
    await row('app.conf').first().getByRole('button').click();
    await on.settled();
    await on.picture('changes');
    expect(await on.text('.detail')).toMatch(/port\s+7000\s+9090[\s\S]*delta storage[\s\S]*security/);
    await row('two').getByRole('button').click();
    await expectSoon(async () => (await on.text('.detail')).includes('+mine'), 'the difference by lines');
    expect(await on.page.title()).toBe('web · Lamina');
  });

  it('where any path comes from, and the same error as the command line where there is none', async () => {
    await on.open('#/containers/web');
    await link('Explain').click();
    await on.page.getByLabel('Path in the container').fill('/usr/share/notes/one');
    await on.page.getByRole('button', { name: 'Explain' }).click();
    await expectSoon(async () => /delta layer[\s\S]*of update motd/.test(await on.text()), 'the origin');
    await on.page.getByLabel('Path in the container').fill('/nowhere');
    await on.page.getByRole('button', { name: 'Explain' }).click();
    const said = (await on.world.attempt('explain', 'web', '/nowhere')).stderr;
    const [, message = 'no message'] = /^(?:lamina: )?(.*)$/m.exec(said) ?? [];
    await expectSoon(async () => (await on.text()).includes(message), message);
  });

  it('the chain of a container, and the processes that run in it', async () => {
    await on.open('#/containers/web');
    expect(await on.page.locator('.chain li').count()).toBe(6);
    await on.open('#/containers/shop-1/processes');
    expect(await on.text()).toMatch(/No process needs a restart[\s\S]*\/bin\/sh/);
  });

  it('updates: how they ended in each container and why, what they changed and did', async () => {
    await on.open('#/updates');
    await on.picture('updates');
    expect(await on.text()).toMatch(
      /security[\s\S]*by-hand[\s\S]*2 changed, 7 skipped[\s\S]*1 conflict[\s\S]*unhealthy[\s\S]*regretted/,
    );
    await link('by-hand').click();
    await expectSoon(
      async () => (await on.text()).includes('In conflict in container web: /etc/app.conf'),
      'the conflict',
    );
    expect(await on.text()).toMatch(/ran: it differs from the base at \/etc\/app\.conf \(.*written/);
    await on.page.getByRole('combobox', { name: 'Outcome' }).selectOption('changed');
    expect(await on.page.locator('.outcomes .all .row').count()).toBe(2);
    await link('What changed').click();
    await on.page.getByRole('row').filter({ hasText: 'app.conf' }).getByRole('button').click();
    await expectSoon(async () => /port\s+8080\s+7000/.test(await on.text('.detail')), 'the changed keys');
    await on.open('#/updates/motd/operations');
    await on.picture('operations');
    expect(await on.text()).toMatch(/operations by \d process[\s\S]*\/usr\/share\/notes\/one/);
    await on.open('#/updates/unhealthy');
    expect(await on.text()).toMatch(
      /unhealthy after update 'unhealthy'[\s\S]*the settings have no port[\s\S]*lamina update redo/,
    );
  });

  it('what a rollback and a merge would make of the graph, before and after', async () => {
    await on.open('#/graph/tiny');
    await on.page.getByLabel('Show what would change by').selectOption('a merge');
    await link('After').click();
    await expectSoon(async () => (await box(/new$/).count()) > 0, 'the merged nodes');
    expect(await box(/^delta storage/).count()).toBe(0);
    await link('Close plan').click();
    // A container that is mounted cannot be rolled back: the plan says so, as the command does.
    await on.page.getByLabel('Show what would change by').selectOption('rollback of security');
    await expectSoon(async () => (await on.text('.plan')).includes("container 'shop-1' is mounted"), 'the reason');
  });

  it('the machines of a channel, and what they reported', async () => {
    await on.open('#/fleet');
    await on.picture('fleet');
    expect(await on.text()).toMatch(/3 machines enrolled, 2 of them have reported[^]*1 machine that reports/);
    expect(await on.text()).toMatch(/second-fix\s+100%\s+2\s+1\s+✕ 1|second-fix\s+100%\s+2\s+1\s+1/);
    const names = () => on.page.locator('.machines .all .name').allInnerTexts();
    expect(await names()).toEqual([nastyHost, 'good.example', machines.silent.id]);
    await on.page.getByLabel('State').selectOption('failed');
    await expectSoon(async () => (await names()).length === 1, 'the one that failed');
    await link(nastyHost).click();
    await on.page.getByRole('heading', { level: 1, name: nastyHost }).waitFor();
    await on.picture('machine');
    expect(await on.text()).toMatch(/canary[^]*second-fix[^]*failed[^]*container web is unhealthy[^]*see its log/);
    await on.open(`#/fleet/${machines.silent.id}`);
    expect(await on.text()).toMatch(/It has sent no report/);
    await on.open(`#/fleet/${machines.stranger.id}`);
    expect(await on.text()).toMatch(/no machine .* is enrolled/);
  });

  it('that nothing was displaced, and that nothing can be changed by this token', async () => {
    await on.open('#/displaced');
    expect(await on.text()).toMatch(/Nothing is displaced/);
    await on.page.getByRole('button', { name: 'Log out' }).click();
    await on.page.getByLabel('Token').waitFor();
    const read = "fetch('/api/v1/store').then(async (answer) => [answer.status, (await answer.json()).error.code])";
    expect(await on.page.evaluate<[number, string]>(read)).toEqual([401, 'NO_TOKEN']);
    await on.login(readOnlyToken);
    await expectSoon(async () => (await on.text('header.top')).includes('read-only'), 'the sign');
    const acting = ['#/containers', '#/containers/late', '#/containers/shop-1', '#/create', '#/updates', '#/apply'];
    for (const view of [...acting, '#/updates/security/rollback', '#/updates/regretted', '#/graph', '#/import']) {
      await on.open(view);
      const offered = await on.page
        .getByRole('button', {
          name: /^(Apply|Preview|Create container|Catch|Remove|Roll|Merge|Mount$|Unmount|Import)/,
        })
        .count();
      expect([view, offered, await on.page.getByRole('link', { name: /^(Apply|Create|Import)/ }).count()]).toEqual([
        view,
        0,
        0,
      ]);
    }
    await on.page.context().clearCookies();
    await on.login();
  });

  it.each(views)(
    '%s to everybody: axe finds nothing wrong, light or dark, and it fits a narrow screen',
    async (view) => {
      await on.open(view);
      expect(await on.accessibilityProblems()).toEqual([]);
      await on.page.setViewportSize({ width: 390, height: 780 });
      await on.settled();
      expect(await on.page.evaluate<number>('document.documentElement.scrollWidth - innerWidth')).toBe(0);
      if (view === '#/containers') await on.picture('narrow');
      await on.page.setViewportSize({ width: 1280, height: 800 });
    },
  );

  it('dark where the reader wants it dark', async () => {
    await on.page.emulateMedia({ colorScheme: 'dark' });
    await on.open('#/graph/tiny?plan=merge');
    await on.picture('graph-dark');
    const ground = await on.page.evaluate<string>('getComputedStyle(document.body).backgroundColor');
    expect(ground).toBe('rgb(20, 23, 26)');
    await on.page.emulateMedia({ colorScheme: 'light' });
  });
});
