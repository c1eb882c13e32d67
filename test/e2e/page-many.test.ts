import { statSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkout } from '../support/lamina.js';
import { fillManifest } from '../support/many-containers.js';
import { missingForPage, PageWorld, startPatience } from '../support/page-world.js';
import { expectSoon } from '../support/soon.js';

/** What the browser measured of a view that was opened in a page of its own, in milliseconds. */
async function timesOf(on: PageWorld, address: string, what: string): Promise<{ paint: number; ready: number }> {
  await on.page.goto('about:blank');
  await on.page.goto(`${on.url}/${address}`);
  await on.page.locator(what).first().waitFor();
  const measured = "[performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? -1, performance.now()]";
  const [paint = -1, ready = -1] = await on.page.evaluate<number[]>(measured);
  return { paint, ready };
}

describe.runIf(missingForPage() === null)('the page with many containers', () => {
  it('is small', () => {
    const size = (name: string) => gzipSync(readFileSync(join(checkout, 'dist/page', name))).length;
    const all = ['index.html', 'assets/page.js', 'assets/page.css', 'assets/icon.svg'].map(size);
    expect(all.reduce((sum, each) => sum + each)).toBeLessThan(150_000);
    expect(statSync(join(checkout, 'dist/page/index.html')).size).toBeGreaterThan(0);
  });

  describe.each([
    [1000, 50],
    [10_000, 2],
  ])('%d, after %d updates', (containers, updates) => {
    let on: PageWorld;

    beforeAll(async () => {
      on = new PageWorld('page-many');
      await on.world.initWithTiny();
      fillManifest(on.world.store, 'tiny', { containers, updates });
      await on.start();
    }, startPatience);
    afterAll(async () => {
      await on.stop();
      expect(on.complaints).toEqual([]);
      on.world.remove();
    });

    it('draws a graph that can be read, and finds each container in it', async () => {
      const { paint, ready } = await timesOf(on, '#/graph/tiny', 'svg g.box');
      process.stderr.write(
        `page: graph of ${containers} containers: first paint ${Math.round(paint)} ms, drawn ${Math.round(ready)} ms\n`,
      );
      expect(await on.page.locator('g.box').count()).toBeLessThan(200);
      await on.picture(`graph-${containers}`);
      await on.page.getByLabel('Search').fill(`web-${containers - 1}`);
      await on.page.locator('g.found', { hasText: `web-${containers - 1}` }).waitFor();
    });

    it('lists all of them, with only those in the document that are seen', async () => {
      const { paint, ready } = await timesOf(on, '#/containers', '.containers .all .row');
      process.stderr.write(
        `page: list of ${containers} containers: first paint ${Math.round(paint)} ms, listed ${Math.round(ready)} ms\n`,
      );
      const rows = on.page.locator('.containers .all .row');
      expect(await rows.count()).toBeLessThan(80);
      expect(await on.text()).toContain(`${containers.toLocaleString('en')} containers`);
      await rows.first().focus();
      await on.page.keyboard.press('End');
      await expectSoon(
        async () =>
          (await on.page.evaluate<string>('document.activeElement.innerText')).startsWith(`web-${containers}\n`),
        'the last row',
      );
      await on.page.keyboard.press('Enter');
      await on.page.getByRole('heading', { level: 1, name: `web-${containers}` }).waitFor();
      await on.page.goBack();
      await rows.first().waitFor();
      // What is scrolled draws the rows that come into view, and leaves the others as they are.
      const { added, changed } = await on.page.evaluate<{ added: number; changed: string[] }>(scrollDown);
      expect(changed).toEqual([]);
      expect(added).toBeGreaterThanOrEqual(100);
      expect(added).toBeLessThan(140);
      // The row that has the focus keeps it, far out of sight.
      await on.page.evaluate("document.querySelector('.containers').scrollTop = 0");
      // By its place, for what is drawn follows the scrolling only in the next frame.
      await on.page.locator('.containers [aria-rowindex="4"]').focus();
      await on.page.evaluate("document.querySelector('.containers').scrollTop = 20000");
      await on.settled();
      await on.page.keyboard.press('ArrowDown');
      await expectSoon(
        async () => (await on.page.evaluate<string>('document.activeElement.innerText')).startsWith('web-4\n'),
        'the row after the one that had the focus',
      );
      const jank = await on.page.evaluate<number>(scrollThrough);
      process.stderr.write(`page: scrolling through ${containers} rows: longest frame ${Math.round(jank)} ms\n`);
      expect(await rows.count()).toBeLessThan(80);
      await on.page.getByLabel('Search').fill(`web-${containers}`);
      await expectSoon(async () => (await rows.count()) === 1, 'the one that is looked for');
    });

    it('shows how an update ended in all of them', async () => {
      await on.open('#/updates');
      expect(await on.text()).toContain(`${(containers / 20).toLocaleString('en')} changed`);
      await on.open('#/updates/update-1');
      await expectSoon(
        async () => (await on.text()).includes(`${containers.toLocaleString('en')} containers`),
        'the outcomes',
      );
      expect(await on.page.locator('.outcomes .all .row').count()).toBeLessThan(80);
    });
  });
});

/** Runs in the browser: what changes in the rows while the list is scrolled by a hundred of them. */
const scrollDown = `new Promise((done) => {
  const box = document.querySelector('.containers');
  const rows = box.querySelector('.all');
  const height = rows.querySelector('.row').offsetHeight;
  box.scrollTop = 0;
  let added = 0;
  const changed = [];
  const watch = new MutationObserver((all) => {
    for (const { type, target, addedNodes } of all) {
      if (type === 'childList' && target === rows) added += addedNodes.length;
      else changed.push(type + ' of ' + target.nodeName + ' ' + target.textContent);
    }
  });
  let steps = 0;
  const step = () => {
    if (steps === 0) watch.observe(rows, { childList: true, attributes: true, characterData: true, subtree: true });
    box.scrollTop = ++steps * height;
    if (steps < 100) requestAnimationFrame(step);
    else requestAnimationFrame(() => requestAnimationFrame(() => done({ added, changed })));
  };
  requestAnimationFrame(() => requestAnimationFrame(step));
})`;

/** Runs in the browser: the longest time between two frames while the list is scrolled from end to end. */
const scrollThrough = `new Promise((done) => {
  const box = document.querySelector('.containers');
  let [longest, last, steps] = [0, performance.now(), 0];
  const step = (now) => {
    longest = Math.max(longest, now - last);
    last = now;
    box.scrollTop = (box.scrollHeight * ++steps) / 60;
    if (steps < 60) requestAnimationFrame(step);
    else done(longest);
  };
  requestAnimationFrame(step);
})`;
