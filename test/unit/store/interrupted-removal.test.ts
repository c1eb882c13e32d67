import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { toBuffer, toText } from '../../../src/base/bytes.js';
import { onWarning } from '../../../src/base/this-command.js';
import { initStore } from '../../../src/store/index.js';
import type { Store } from '../../../src/store/index.js';
import { publishRemoval } from '../../../src/transaction/index.js';
import { temporaryDirectory } from '../platform/temporary.js';

const at = temporaryDirectory();
let made = 0;
const id = (n: number) => `s-000000000000000${n}`;

/** What removes things one after the other, and a signal that comes in the middle. */
describe('a removal that is interrupted', () => {
  let store: Store;
  let warnings: string[];
  beforeEach(async () => {
    store = await initStore(at(`store${String(++made)}`));
    for (let n = 1; n <= 5; n++) mkdirSync(toText(store.paths.node(id(n)).tree), { recursive: true });
    warnings = [];
    onWarning((text) => warnings.push(text));
  });
  afterEach(() => onWarning(() => undefined));

  const left = () => readdirSync(toBuffer(store.paths.nodes)).length;
  const nodes = [1, 2, 3, 4, 5].map(id);

  /** Comes once so many things are gone. */
  function signalAfter(most: number) {
    const controller = new AbortController();
    const onStep = (done: number) => {
      if (done === most) controller.abort(new Error('interrupted by SIGTERM; nothing was changed'));
    };
    onStep(0);
    return { signal: controller.signal, onStep };
  }

  it.each([0, 1, 4])('of garbage says how much is gone: %d of 5', async (gone) => {
    await expect(store.collectGarbage(false, signalAfter(gone))).rejects.toMatchObject({
      code: 'INTERRUPTED',
      message: `interrupted: ${gone} of 5 things were removed`,
    });
    expect(left()).toBe(5 - gone);
    expect((await store.collectGarbage(false)).found).toHaveLength(5 - gone);
    expect(left()).toBe(0);
  });

  it('of all garbage is done', async () => {
    expect(await store.collectGarbage(false, signalAfter(5))).toMatchObject({ left: [] });
    expect(left()).toBe(0);
  });

  it('of a change changes nothing before the publish', async () => {
    const before = await store.read();
    const transition = async () =>
      Promise.resolve({ manifest: { ...before, generation: 9 }, removedNodes: nodes, removedUpdates: [] });
    const removal = publishRemoval(store, { transition, ...signalAfter(0) });
    await expect(removal).rejects.toThrow('interrupted by SIGTERM; nothing was changed');
    expect(await store.read()).toEqual(before);
  });

  it('of a change is done after the publish, and leaves files to the next change', async () => {
    const before = await store.read();
    const next = { ...before, generation: before.generation + 1 };
    // A change clears away such nodes before it begins: these are no garbage until it has.
    const transition = async () => {
      for (const each of nodes) mkdirSync(toText(store.paths.node(each).tree), { recursive: true });
      return Promise.resolve({ manifest: next, removedNodes: nodes, removedUpdates: [] });
    };
    await publishRemoval(store, { transition, ...signalAfter(2) });
    expect((await store.read()).generation).toBe(next.generation);
    expect(left()).toBe(3);
    expect(warnings).toEqual([expect.stringMatching(/^interrupted after the change was made: 3 of 5 directories/)]);
    await store.recover();
    expect(left()).toBe(0);
    expect(existsSync(toBuffer(store.paths.manifest))).toBe(true);
  });
});
