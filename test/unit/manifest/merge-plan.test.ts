import { describe, expect, it } from 'vitest';
import {
  applyMerge,
  checkGraph,
  layerChain,
  planMerge,
  removeContainer,
  rollbackUpdate,
  stackOf,
} from '../../../src/manifest/index.js';
import type { Manifest, MergeRequest } from '../../../src/manifest/index.js';
import { id, updated, withBase, withContainer } from './support.js';

const prefixes = { 'base-layer': 'b', 'delta-layer': 'd', storage: 's' };

function merged(manifest: Manifest, request: MergeRequest = {}) {
  const plan = planMerge(manifest, request);
  const trees = plan.folds.map(({ kind }) => ({ id: id(prefixes[kind]), entries: 1, bytes: 1 }));
  const transition = applyMerge(manifest, plan, trees);
  expect(checkGraph(transition.manifest)).toEqual([]);
  return { ...transition, plan, trees };
}

/** base ← 1 ← 2 ← 3 ← 4, with containers left on base and 2, and one on 4. */
function drawn() {
  let manifest = withContainer(withBase(), 'old');
  const layers = [manifest.bases['debian']!.root];
  const updates: string[] = [];
  for (const number of [1, 2, 3, 4]) {
    const done = updated(manifest, `u${number}`, {});
    layers.push(done.layer);
    updates.push(done.update);
    manifest = done.manifest;
    if (number === 2) manifest = withContainer(manifest, 'middle');
    if (number === 4) manifest = withContainer(manifest, 'new');
  }
  return { manifest, layers, updates };
}

describe('a merge', () => {
  it('folds layers into parents that nobody stands on', () => {
    const { manifest: before, layers, updates } = drawn();
    const { manifest, plan, trees, removedNodes } = merged(before);
    expect(plan.folds.map(({ kind, parts }) => [kind, parts])).toEqual([
      ['delta-layer', [layers[2], layers[1]]],
      ['delta-layer', [layers[4], layers[3]]],
    ]);
    expect(plan.containers).toEqual(['middle', 'new']);
    const [lower, upper] = trees.map((tree) => tree.id);
    expect(layerChain(manifest, manifest.bases['debian']!.head)).toEqual([upper, lower, layers[0]]);
    expect(stackOf(manifest, 'new').layers).toEqual([upper, lower, layers[0]]);
    expect(manifest.nodes[stackOf(manifest, 'new').storages[0]!]!.layer).toBe(upper);
    expect(stackOf(manifest, 'middle').layers).toEqual([lower, layers[0]]);
    expect(stackOf(manifest, 'old')).toEqual(stackOf(before, 'old'));
    expect(removedNodes).toEqual(layers.slice(1).sort());
    expect(plan.updates).toEqual(updates);
    for (const [i, update] of updates.entries()) {
      const holder = i < 2 ? lower : upper;
      expect(manifest.updates[update]).toMatchObject({ state: 'merged', layer: holder, parent: holder });
      expect(() => rollbackUpdate(manifest, { update })).toThrow(/was merged/);
      expect(() => rollbackUpdate(manifest, { update, containers: ['new'] })).toThrow(/was merged/);
    }
    expect(manifest.nodes[lower!]).toMatchObject({ update: updates[1], merged: [updates[0]], parent: layers[0] });
    expect(planMerge(manifest).folds).toEqual([]);
  });

  it('makes a new base layer where nobody stands on the base', () => {
    const { manifest: before, updates } = drawn();
    const { manifest, plan } = merged(removeContainer(before, 'old').manifest);
    expect(plan.folds.map(({ kind, parts }) => [kind, parts.length])).toEqual([
      ['base-layer', 3],
      ['delta-layer', 2],
    ]);
    const { root } = manifest.bases['debian']!;
    expect(manifest.nodes[root]).toMatchObject({ kind: 'base-layer', update: null, merged: updates.slice(0, 2) });
  });

  it('folds sealed storages, and stands them on the layer of the newest', () => {
    let manifest = withContainer(withBase(), 'web');
    for (const name of ['u1', 'u2', 'u3']) manifest = updated(manifest, name, { web: 'S+Δ' }).manifest;
    const before = stackOf(manifest, 'web');
    const result = merged(manifest);
    const after = stackOf(result.manifest, 'web');
    expect(after.storages).toEqual([before.storages[0], result.trees[0]!.id]);
    expect(after.layers).toHaveLength(1);
    expect(result.manifest.nodes[after.storages[1]!]).toMatchObject({
      kind: 'storage',
      layer: after.layers[0],
      sealed: true,
      merged: result.plan.updates,
    });
    expect(result.manifest.nodes[before.storages[0]!]!.sealed).toBe(false);
    expect(result.plan.folds[0]).toMatchObject({ container: 'web', settled: true, below: before.layers });
  });

  it('leaves apart what the newest updates need to be rolled back', () => {
    const start = withContainer(withBase(), 'web');
    const first = updated(start, 'u1', { web: 'S+Δ' });
    const second = updated(first.manifest, 'u2', { web: 'S+Δ' });
    const third = updated(second.manifest, 'u3', { web: '0+Δ' });
    const before = stackOf(third.manifest, 'web');
    const { manifest, plan, trees } = merged(third.manifest, { keep: 2 });
    expect(plan.updates).toEqual([first.update]);
    expect(plan.folds).toMatchObject([
      { kind: 'storage', parts: before.storages.slice(3), settled: false },
      { kind: 'base-layer', parts: [first.layer, start.bases['debian']!.root] },
    ]);
    const undone = rollbackUpdate(rollbackUpdate(manifest, { update: third.update }).manifest, {
      update: second.update,
    }).manifest;
    expect(checkGraph(undone)).toEqual([]);
    expect(undone.bases['debian']!.head).toBe(trees[1]!.id);
    expect(stackOf(undone, 'web').storages).toHaveLength(1);
    expect(() => rollbackUpdate(undone, { update: first.update })).toThrow(/was merged/);
  });

  it('leaves a storage alone that refers below, where it may come to stand on something else', () => {
    const first = updated(withContainer(withBase(), 'web'), 'u1', { web: 'S+Δ' });
    const second = updated(first.manifest, 'u2', { web: 'S+Δ' });
    const [, , upper] = stackOf(second.manifest, 'web').storages;
    const referring = new Set([upper!]);
    const kept = planMerge(second.manifest, { keep: 1, referring });
    expect(kept.folds.flatMap(({ parts }) => parts)).not.toContain(upper);
    expect(planMerge(second.manifest, { referring }).folds[0]?.parts).toContain(upper);
  });

  it('touches only the base that is named', () => {
    const { manifest } = drawn();
    const both = withBase(manifest, 'other');
    expect(planMerge(both, { base: 'other' }).folds).toEqual([]);
    expect(() => planMerge(both, { base: 'none' })).toThrow(/no base named/);
  });

  it('does not join layers at a head, or where lineages part', () => {
    const base = withBase();
    const first = updated(base, 'u1', {});
    const on = withContainer(first.manifest, 'on');
    const undone = rollbackUpdate(on, { update: first.update }).manifest;
    expect(planMerge(undone).folds).toEqual([]);
    const next = updated(undone, 'u2', {}).manifest;
    expect(planMerge(next).folds).toEqual([]);
    const { manifest, plan } = merged(removeContainer(next, 'on').manifest);
    expect(plan.folds).toMatchObject([{ kind: 'base-layer' }]);
    expect(Object.keys(manifest.nodes)).toHaveLength(1);
  });
});
