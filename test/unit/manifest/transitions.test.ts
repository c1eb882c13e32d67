import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  addEffects,
  checkGraph,
  checkStep,
  commitUpdate,
  containersAbove,
  containersOn,
  layerChain,
  removeBase,
  removeContainer,
  rollbackUpdate,
  stackOf,
  unreferencedNodes,
  updateNamed,
  updatesAbove,
  updatesOf,
} from '../../../src/manifest/index.js';
import type { Manifest } from '../../../src/manifest/index.js';
import { commit, effect, updated, withBase, withContainer } from './support.js';

const at = (manifest: Manifest, generation: number) => ({ ...manifest, generation });

function two(): Manifest {
  return withContainer(withContainer(withBase(), 'web'), 'db');
}

describe('an update', () => {
  it('puts every container on the delta layer', () => {
    const before = two();
    const { manifest, update, layer } = updated(before, 'openssl', { web: 'S+Δ', db: '0' });
    const root = before.bases['debian']!.root;
    const [s] = stackOf(before, 'web').storages;
    const web = stackOf(manifest, 'web');
    const delta = manifest.updates[update]!.effects[0]!.storage;
    expect(web.storages.slice(1)).toEqual([delta, s]);
    expect(web.layers).toEqual([layer, root]);
    expect(manifest.nodes[s!]).toMatchObject({ sealed: true, entries: 5, bytes: 50, layer: root });
    expect(stackOf(manifest, 'db').nodes).toEqual([...stackOf(before, 'db').storages, layer, root]);
    expect(manifest.nodes[stackOf(manifest, 'db').storages[0]!]).toMatchObject({ sealed: false, layer });
    expect(manifest.bases['debian']!.head).toBe(layer);
    expect(containersOn(manifest, 'debian', layer)).toEqual(['db', 'web']);
    expect(containersAbove(manifest, root)).toEqual(['db', 'web']);
    expect(updatesOf(manifest, 'debian')).toEqual([update]);
    expect(updateNamed(manifest, 'openssl').id).toBe(update);
    expect(() => updateNamed(manifest, 'curl')).toThrow(/no update is named 'curl'/);
    expect(manifest.generation).toBe(before.generation + 1);
    expect(checkGraph(manifest)).toEqual([]);
  });

  it('leaves failed containers, which can catch up later', () => {
    const before = two();
    const { manifest, update, layer } = updated(before, 'openssl', { web: 'S', db: 'failed' });
    expect(manifest.containers['db']).toEqual(before.containers['db']);
    expect(containersOn(manifest, 'debian', layer)).toEqual(['web']);
    expect(checkGraph(manifest)).toEqual([]);
    const after = addEffects(manifest, update, {
      effects: [effect(manifest, 'db', 'S+Δ')],
      created: '2026-01-02T00:00:00.000Z',
    });
    expect(containersOn(after, 'debian', layer)).toEqual(['db', 'web']);
    expect(after.updates[update]!.effects.map(({ outcome }) => outcome)).toEqual(['unchanged', 'changed']);
    expect(checkGraph(after)).toEqual([]);
    expect(() => addEffects(after, update, { effects: [effect(after, 'db', 'S')], created: '' })).toThrow(
      /has changed since/,
    );
  });

  it('is refused on what has changed since it was begun', () => {
    const before = two();
    const request = commit(before, 'late', [effect(before, 'web', 'S')]);
    const { manifest } = updated(before, 'first', { web: 'S' });
    expect(() => commitUpdate(manifest, request)).toThrow(/base 'debian' has changed/);
    const stale = commit(manifest, 'late', [effect(manifest, 'db', 'S')]);
    expect(() => commitUpdate(manifest, stale)).toThrow(/container 'db' has changed/);
    const other = { ...effect(manifest, 'web', 'S'), sealed: effect(before, 'web', 'S').sealed };
    expect(() => commitUpdate(manifest, commit(manifest, 'late', [other]))).toThrow(
      /storage of container 'web' has changed/,
    );
    expect(() => commitUpdate(manifest, { ...commit(manifest, 'first', []) })).toThrow(/'first' already exists/);
  });
});

describe('a rollback', () => {
  it.each(['S', 'S+Δ', '0', '0+Δ', 'failed'] as const)('of a container with %s gives the manifest of before', (how) => {
    const before = updated(two(), 'older', { web: 'S+Δ', db: 'S' }).manifest;
    const { manifest, update, layer } = updated(before, 'newer', { web: how, db: 'S+Δ' });
    const rollback = rollbackUpdate(manifest, { update });
    expect(at(rollback.manifest, before.generation)).toEqual(before);
    expect(rollback.manifest.generation).toBe(manifest.generation + 1);
    const known = new Set(Object.keys(before.nodes));
    expect(rollback.removedNodes).toEqual(
      Object.keys(manifest.nodes)
        .filter((id) => !known.has(id))
        .sort(),
    );
    expect(rollback.removedNodes).toContain(layer);
    expect(rollback.removedUpdates).toEqual([update]);
    expect(rollback.staying).toEqual([]);
  });

  it('says which storages hold what the user wrote since, and where it goes', () => {
    const before = two();
    const { manifest, update, layer } = updated(before, 'openssl', { web: 'S+Δ', db: '0+Δ' });
    const [s] = stackOf(before, 'web').storages;
    const [t, delta] = stackOf(manifest, 'web').storages;
    const [reused] = stackOf(before, 'db').storages;
    const { containers } = rollbackUpdate(manifest, { update });
    const root = before.bases['debian']!.root;
    expect(containers[0]).toEqual({
      container: 'web',
      layer: root,
      storage: s,
      delta,
      deltaLayer: layer,
      user: [t],
      before: s,
      move: [t],
    });
    expect(containers[1]).toMatchObject({ container: 'db', storage: reused, user: [reused], before: reused, move: [] });
  });

  it('can keep the storages made since above that of before', () => {
    const before = two();
    const { manifest, update } = updated(before, 'openssl', { web: 'S+Δ', db: '0+Δ' });
    const root = before.bases['debian']!.root;
    const [s] = stackOf(before, 'web').storages;
    const [t] = stackOf(manifest, 'web').storages;
    const rollback = rollbackUpdate(manifest, { update, keep: new Set(['web', 'db']) });
    expect(stackOf(rollback.manifest, 'web').nodes).toEqual([t, s, root]);
    expect(stackOf(rollback.manifest, 'db')).toEqual(stackOf(before, 'db'));
    expect(rollback.manifest.nodes[s!]!.sealed).toBe(true);
    expect(rollback.containers.map(({ move }) => move)).toEqual([[], []]);
    expect(checkGraph(rollback.manifest)).toEqual([]);
  });

  it('undoes an older update below storages that were kept', () => {
    const before = two();
    const first = updated(before, 'first', { web: 'S+Δ' });
    const second = updated(first.manifest, 'second', { web: 'S+Δ' });
    const kept = rollbackUpdate(second.manifest, { update: second.update, keep: new Set(['web']) }).manifest;
    const [t2, t1] = stackOf(kept, 'web').storages;
    const [s] = stackOf(before, 'web').storages;
    const again = rollbackUpdate(kept, { update: first.update, keep: new Set(['web']) });
    expect(stackOf(again.manifest, 'web').storages).toEqual([t2, t1, s]);
    expect(checkGraph(again.manifest)).toEqual([]);
    const moved = rollbackUpdate(kept, { update: first.update });
    expect(moved.containers[0]).toMatchObject({ user: [t2, t1], move: [t2, t1], before: s });
    expect(stackOf(moved.manifest, 'web')).toEqual(stackOf(before, 'web'));
    expect(checkGraph(moved.manifest)).toEqual([]);
  });

  it('of one container leaves the layer to the others', () => {
    const before = two();
    const { manifest, update, layer } = updated(before, 'openssl', { web: 'S+Δ', db: 'S' });
    const rollback = rollbackUpdate(manifest, { update, containers: ['web'] });
    expect(stackOf(rollback.manifest, 'web')).toEqual(stackOf(before, 'web'));
    expect(stackOf(rollback.manifest, 'db')).toEqual(stackOf(manifest, 'db'));
    expect(rollback.manifest.bases['debian']!.head).toBe(layer);
    expect(rollback.manifest.updates[update]).toMatchObject({ state: 'committed', effects: [{ container: 'db' }] });
    expect(checkGraph(rollback.manifest)).toEqual([]);
    expect(() => rollbackUpdate(rollback.manifest, { update, containers: ['web'] })).toThrow(
      /was not applied to container 'web'/,
    );
    expect(() => rollbackUpdate(manifest, { update, containers: ['nobody'] })).toThrow(/no container named 'nobody'/);
  });

  it('leaves the layer to containers that were created on it, and goes with the last of them', () => {
    const before = two();
    const { manifest, update, layer } = updated(before, 'openssl', { web: 'S+Δ', db: 'S' });
    const four = withContainer(manifest, 'four');
    const rollback = rollbackUpdate(four, { update });
    expect(rollback.staying).toEqual(['four']);
    expect(rollback.manifest.bases['debian']!.head).toBe(before.bases['debian']!.head);
    expect(layerChain(rollback.manifest, rollback.manifest.containers['four']!.layer)[0]).toBe(layer);
    expect(rollback.manifest.updates[update]).toMatchObject({ state: 'rolled-back', effects: [] });
    expect(checkGraph(rollback.manifest)).toEqual([]);
    expect(() => rollbackUpdate(rollback.manifest, { update })).toThrow(/already rolled back/);
    const removal = removeContainer(rollback.manifest, 'four');
    expect(removal.removedUpdates).toEqual([update]);
    expect(removal.removedNodes).toContain(layer);
    expect(at(removal.manifest, 0)).toEqual(at(before, 0));
  });

  it('goes newest first', () => {
    const first = updated(two(), 'first', { web: 'S+Δ', db: 'S' });
    const second = updated(first.manifest, 'second', { web: 'S' });
    expect(updatesAbove(second.manifest, first.update)).toEqual([second.update]);
    expect(() => rollbackUpdate(second.manifest, { update: first.update })).toThrow(/newer updates above it: second/);
    expect(() => rollbackUpdate(second.manifest, { update: first.update, containers: ['web'] })).toThrow(
      /above it: second/,
    );
    const db = rollbackUpdate(second.manifest, { update: first.update, containers: ['db'] });
    expect(checkGraph(db.manifest)).toEqual([]);
    expect(containersOn(db.manifest, 'debian', first.layer)).toEqual([]);
    expect(db.removedNodes).not.toContain(first.layer);
  });
});

describe('removing', () => {
  it('a container takes its storages and its effects along', () => {
    const { manifest, update } = updated(two(), 'openssl', { web: 'S+Δ', db: 'S' });
    const web = stackOf(manifest, 'web').storages;
    const { manifest: after, removedNodes } = removeContainer(manifest, 'web');
    expect(removedNodes).toEqual([...web].sort());
    expect(after.updates[update]!.effects.map(({ container }) => container)).toEqual(['db']);
    expect(checkGraph(after)).toEqual([]);
  });

  it('a base is refused while containers use it, and takes layers and updates along', () => {
    const { manifest, update } = updated(withBase(two(), 'other'), 'openssl', { web: 'S', db: 'S' });
    expect(() => removeBase(manifest, 'debian')).toThrow(/used by db, web/);
    const empty = removeContainer(removeContainer(manifest, 'web').manifest, 'db').manifest;
    const { manifest: after, removedNodes, removedUpdates } = removeBase(empty, 'debian');
    expect(removedUpdates).toEqual([update]);
    expect(removedNodes).toHaveLength(2);
    expect(Object.keys(after.nodes)).toEqual([after.bases['other']!.root]);
    expect(checkGraph(after)).toEqual([]);
  });

  it('names what is not there or there already', () => {
    const manifest = two();
    expect(() => removeContainer(manifest, 'nobody')).toThrow(/no container named 'nobody'/);
    expect(() => removeBase(manifest, 'toString')).toThrow(/no base named 'toString'/);
    expect(() => withContainer(manifest, 'web')).toThrow(/'web' already exists/);
    expect(() => withContainer(manifest, 'a/b')).toThrow(/cannot be the name/);
    expect(() => withContainer(manifest, 'x', 'nowhere')).toThrow(/no base named 'nowhere'/);
    expect(() => withBase(manifest)).toThrow(/'debian' already exists/);
  });
});

describe('any sequence of changes', () => {
  const step = fc.record({
    kind: fc.nat(5),
    container: fc.constantFrom('a', 'b', 'c'),
    how: fc.nat(4),
    keep: fc.boolean(),
  });

  it('keeps the graph sound and the old manifests as they were', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 14 }), (steps) => {
        let manifest = withBase();
        steps.forEach(({ kind, container, how, keep }, index) => {
          const before = JSON.stringify(manifest);
          const next = change(manifest, { kind, container, how, keep, index });
          expect(JSON.stringify(manifest)).toBe(before);
          expect(checkGraph(next)).toEqual([]);
          expect(checkStep(manifest, next)).toEqual([]);
          expect(unreferencedNodes(next)).toEqual([]);
          manifest = next;
        });
      }),
      { numRuns: 300 },
    );
  });

  function change(
    manifest: Manifest,
    step: { kind: number; container: string; how: number; keep: boolean; index: number },
  ): Manifest {
    const { kind, container, how, keep, index } = step;
    const exists = container in manifest.containers;
    if (kind <= 1) return exists ? manifest : withContainer(manifest, container);
    if (kind === 2) return exists ? removeContainer(manifest, container).manifest : manifest;
    const keeping = { keep: new Set(keep ? [container] : []) };
    const head = updatesOf(manifest, 'debian').find(
      (id) => manifest.updates[id]!.layer === manifest.bases['debian']!.head,
    );
    if (kind === 3 && head !== undefined) return rollbackUpdate(manifest, { update: head, ...keeping }).manifest;
    const own = updatesOf(manifest, 'debian').find(
      (id) => manifest.updates[id]!.layer === manifest.containers[container]?.layer,
    );
    if (
      kind === 4 &&
      own !== undefined &&
      manifest.updates[own]!.effects.some((each) => each.container === container)
    ) {
      return rollbackUpdate(manifest, { update: own, containers: [container], ...keeping }).manifest;
    }
    const outcomes = ['S', '0', 'S+Δ', '0+Δ', 'failed'] as const;
    const on = containersOn(manifest, 'debian', manifest.bases['debian']!.head);
    return updated(manifest, `u${index}`, Object.fromEntries(on.map((name, i) => [name, outcomes[(how + i) % 5]!])))
      .manifest;
  }
});
