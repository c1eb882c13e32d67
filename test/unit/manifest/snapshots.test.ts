import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  checkGraph,
  commitSnapshot,
  excerptOf,
  isSoundStep,
  parseManifest,
  planMerge,
  removeContainer,
  removeSnapshot,
  snapshotTrees,
} from '../../../src/manifest/index.js';
import type { Manifest, Snapshot } from '../../../src/manifest/index.js';

const sample = parseManifest(readFileSync(join(import.meta.dirname, '../../format/v6/written.json'), 'utf8'));
const [lower, upper, web, shop, look, empty] = ['d1', 'd2', 'd3', 'd4', 'd5', 'd6'].map(
  (end) => `k-00000000000000${end}`,
) as [string, string, string, string, string, string];

const changed = (id: string, change: Partial<Snapshot>): Manifest => ({
  ...sample,
  containerd: { ...sample.containerd, [id]: { ...sample.containerd[id]!, ...change } },
});
const codes = (manifest: Manifest) => checkGraph(manifest).map(({ code, subject }) => `${code} ${subject}`);

describe('the rules of snapshots', () => {
  it.each<[what: string, manifest: Manifest, code: string]>([
    ['two of one name', changed(look, { name: 'default/3/web' }), `NAME_TWICE ${look}`],
    ['a parent that is active', changed(look, { parent: web }), `SNAPSHOT_PARENT ${look}`],
    ['a parent that is gone', changed(look, { parent: 'k-0000000000000000' }), `SNAPSHOT_PARENT ${look}`],
    ['a committed one without a layer', changed(upper, { node: null }), `SNAPSHOT_NODE ${upper}`],
    ['a committed one that is a storage', changed(upper, { node: 'b-00000000000000ff' }), `SNAPSHOT_NODE ${upper}`],
    ['a layer that stands elsewhere', changed(upper, { parent: null }), `SNAPSHOT_NODE ${upper}`],
    ['a committed one of a container', changed(lower, { container: 'shop' }), `SNAPSHOT_CONTAINER ${lower}`],
    ['a view with a tree and a parent', changed(look, { node: 'b-00000000000000c9' }), `SNAPSHOT_NODE ${look}`],
    ['a view of nothing', changed(empty, { node: null }), `SNAPSHOT_NODE ${empty}`],
    ['a tree beside a container', changed(shop, { node: 'b-00000000000000c9' }), `SNAPSHOT_NODE ${shop}`],
    ['a container that is gone', changed(shop, { container: 'gone' }), `SNAPSHOT_CONTAINER ${shop}`],
    ['a container that two show', changed(web, { node: null, container: 'shop' }), `SHARED ${shop}`],
    ['a tree that two have', changed(web, { node: 'b-00000000000000c5' }), `SHARED ${empty}`],
    ['a tree that is sealed', changed(web, { node: 'b-00000000000000c2' }), `SHARED ${web}`],
  ])('find %s', (_, manifest, code) => {
    expect(codes(manifest)).toContain(code);
    expect(isSoundStep(sample, manifest)).toBe(false);
  });

  it('let an active one show nothing', () => {
    expect(codes(changed(shop, { container: null }))).toEqual([]);
  });
});

describe('snapshots', () => {
  it('become base layers on those of their parents', () => {
    const commit = {
      key: 'default/3/web',
      name: 'made',
      parent: '',
      labels: { l: '1' },
      created: '2026-11-30T11:00:00.000Z',
    };
    const manifest = commitSnapshot(sample, commit, { id: 'b-00000000000000c4', entries: 3, bytes: 5 });
    expect(checkGraph(manifest)).toEqual([]);
    expect(isSoundStep(sample, manifest)).toBe(true);
    expect(manifest.nodes['b-00000000000000c4']).toMatchObject({ parent: 'b-00000000000000c2', entries: 3, bytes: 5 });
    expect(manifest.containerd[web]).toMatchObject({ name: 'made', kind: 'committed', labels: { l: '1' } });
    expect(snapshotTrees(manifest)).toEqual(['b-00000000000000c5']);
  });

  it('leave with their trees, but for what others stand on', () => {
    expect(removeSnapshot(sample, 'default/3/web').removedNodes).toEqual(['b-00000000000000c4']);
    const names = ['default/3/web', 'default/4/shop', 'default/5/look', `default/2/sha256:${'b'.repeat(64)}`];
    let manifest = sample;
    for (const name of names) ({ manifest } = removeSnapshot(manifest, name));
    // The base of a container stands on the layers.
    expect(manifest.nodes['b-00000000000000c2']).toBeDefined();
    const { manifest: without } = removeContainer(manifest, 'shop');
    expect(checkGraph(without)).toEqual([]);
  });

  it('stay when their container goes, and keep their layers from being folded', () => {
    const { manifest } = removeContainer(sample, 'shop');
    expect(checkGraph(manifest)).toEqual([]);
    expect(manifest.containerd[shop]).toMatchObject({ container: null, node: null });
    const parts = planMerge(sample).folds.flatMap((fold) => fold.parts);
    expect(parts).not.toContain('b-00000000000000c1');
  });

  it('are no part of what goes to another store', () => {
    const part = excerptOf(sample, ['shop']);
    expect(part.containerd).toEqual({});
    expect(checkGraph(part)).toEqual([]);
  });
});
