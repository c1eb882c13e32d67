import { describe, expect, it } from 'vitest';
import {
  addEffects,
  applyMerge,
  catchUpSteps,
  checkGraph,
  planMerge,
  rollbackUpdate,
  stackOf,
  updateOf,
} from '../../../src/manifest/index.js';
import type { Manifest } from '../../../src/manifest/index.js';
import { effect, id, updated, withBase, withContainer } from './support.js';

const created = '2026-01-01T00:00:00.000Z';

/** `then` is serviced for all updates, `late` for none. */
function behind(names: readonly string[]) {
  let manifest = withContainer(withContainer(withBase(), 'then'), 'late');
  const updates: string[] = [];
  for (const name of names) {
    const made = updated(manifest, name, { then: 'S+Δ' });
    ({ manifest } = made);
    updates.push(made.update);
  }
  return { manifest, updates };
}

function merged(manifest: Manifest, keep: number): Manifest {
  const plan = planMerge(manifest, { keep });
  const trees = plan.folds.map(({ kind }) => ({ id: id(kind === 'storage' ? 's' : 'd'), entries: 1, bytes: 1 }));
  return applyMerge(manifest, plan, trees).manifest;
}

describe('catching up', () => {
  it('takes the newer layers in their order', () => {
    const { manifest, updates } = behind(['one', 'two']);
    expect(catchUpSteps(manifest, 'late')).toEqual(
      updates.map((update) => ({ layer: updateOf(manifest, update).layer, updates: [update] })),
    );
    expect(catchUpSteps(manifest, 'then')).toEqual([]);
  });

  it('takes merged layers as one, of all their updates', () => {
    const { manifest, updates } = behind(['one', 'two', 'three']);
    const after = merged(manifest, 1);
    const steps = catchUpSteps(after, 'late');
    expect(steps.map((step) => step.updates)).toEqual([updates.slice(0, 2), updates.slice(2)]);
    const [first, second, third] = updates as [string, string, string];
    const caught = addEffects(after, second, { effects: [effect(after, 'late', 'S+Δ')], created });
    expect(checkGraph(caught)).toEqual([]);
    const [top, delta] = stackOf(caught, 'late').storages as [string, string];
    expect(caught.nodes[delta]).toMatchObject({ update: second, merged: [first], layer: steps[0]?.layer });
    const effects = (update: string) =>
      updateOf(caught, update).effects.filter(({ container }) => container === 'late');
    expect(effects(second)).toMatchObject([{ storage: delta, top }]);
    expect(effects(first)).toMatchObject([{ outcome: 'changed', storage: null, top }]);
    const all = addEffects(caught, third, { effects: [effect(caught, 'late', '0+Δ')], created });
    expect(checkGraph(all)).toEqual([]);
    expect(catchUpSteps(all, 'late')).toEqual([]);
    const back = rollbackUpdate(all, { update: third, containers: ['late'] }).manifest;
    expect(stackOf(back, 'late')).toEqual(stackOf(caught, 'late'));
    expect(() => rollbackUpdate(back, { update: second, containers: ['late'] })).toThrow(/was merged/);
  });

  it('is refused by a layer that is not its own any more, and from one that left the lineage', () => {
    const { manifest, updates } = behind(['one', 'two']);
    const after = merged(manifest, 0);
    expect(() => addEffects(after, updates[0] ?? '', { effects: [effect(after, 'late', 'S')], created })).toThrow(
      /has changed since/,
    );
    const stranded = withContainer(manifest, 'new');
    const { manifest: back } = rollbackUpdate(stranded, { update: updates[1] ?? '' });
    expect(() => catchUpSteps(back, 'new')).toThrow(/created on update 'two', which was rolled back/);
  });
});
