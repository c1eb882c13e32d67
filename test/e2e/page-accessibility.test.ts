import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fillStore } from '../support/page-store.js';
import { missingForPage, PageWorld, startPatience } from '../support/page-world.js';

const views = [
  ...['#/graph/tiny', '#/graph/tiny?node=container%20web', '#/graph/tiny?plan=merge&show=after', '#/containers'],
  ...['#/containers/web', '#/containers/web/changes?path=/etc/app.conf', '#/containers/web/explain?path=/etc/app.conf'],
  ...['#/containers/web/processes', '#/create', '#/updates', '#/updates/by-hand', '#/updates/by-hand/changes'],
  ...['#/updates/motd/operations', '#/updates/security/rollback', '#/updates/unhealthy', '#/apply', '#/displaced'],
  ...['#/merge/tiny', '#/fleet', '#/activity', '#/activity/audit', '#/nowhere', '#/containers/nobody'],
];

describe.runIf(missingForPage() === null)('everybody can use the page', () => {
  let on: PageWorld;

  beforeAll(async () => {
    on = new PageWorld('page-access');
    await fillStore(on.world);
    await on.start();
  }, startPatience);
  afterAll(async () => {
    await on.stop();
    expect(on.complaints).toEqual([]);
    on.world.remove();
  });

  it.each(views)('axe finds nothing wrong with %s, light or dark', async (view) => {
    await on.open(view);
    expect(await on.accessibilityProblems()).toEqual([]);
  });

  it('fits on a narrow screen', async () => {
    await on.page.setViewportSize({ width: 390, height: 780 });
    for (const view of views) {
      await on.open(view);
      const wide = await on.page.evaluate<number>('document.documentElement.scrollWidth - innerWidth');
      expect([view, wide]).toEqual([view, 0]);
    }
    await on.open('#/containers');
    await on.picture('narrow');
    await on.page.setViewportSize({ width: 1280, height: 800 });
  });

  it('is dark where the reader wants it dark', async () => {
    await on.page.emulateMedia({ colorScheme: 'dark' });
    await on.open('#/graph/tiny?plan=merge');
    await on.picture('graph-dark');
    const ground = await on.page.evaluate<string>('getComputedStyle(document.body).backgroundColor');
    expect(ground).toBe('rgb(20, 23, 26)');
    await on.page.emulateMedia({ colorScheme: 'light' });
  });
});
