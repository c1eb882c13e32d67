import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  addImageBase,
  applyMerge,
  chainIdOf,
  checkGraph,
  checkStep,
  emptyManifest,
  layerChain,
  planMerge,
  removeBase,
} from '../../../src/manifest/index.js';
import type { Manifest } from '../../../src/manifest/index.js';
import { id, updated, withBase, withContainer } from './support.js';

const created = '2026-11-30T00:00:00.000Z';
const sha256 = (text: string) => `sha256:${createHash('sha256').update(text).digest('hex')}`;

/** A base of an image whose layers are named by letters, lowest first. */
function withImage(manifest: Manifest, name: string, letters: string): Manifest {
  let chainId: string | undefined;
  const layers = Array.from(letters, (letter) => {
    const diffId = sha256(letter);
    chainId = chainIdOf(chainId, diffId);
    const blob = { digest: sha256(`${letter} blob`), size: 5, mediaType: 'application/vnd.oci.image.layer.v1.tar' };
    return { image: { chainId, diffId, blob }, node: { id: id('b'), entries: 3, bytes: 30 } };
  });
  const image = {
    reference: `oci:/images:${name}`,
    manifestDigest: sha256(`${name} manifest`),
    configDigest: sha256(`${name} config`),
    platform: 'linux/amd64',
  };
  return addImageBase(manifest, { name, image, layers, version: null, created });
}

const twoImages = () => withImage(withImage(emptyManifest(), 'one', 'abc'), 'two', 'abd');
const layersOf = (manifest: Manifest, base: string) => layerChain(manifest, manifest.bases[base]!.head);

describe('a chain ID', () => {
  it('is the diff ID of the lowest layer, and a hash of the chain of every other', () => {
    const [a, b] = [sha256('a'), sha256('b')];
    expect(chainIdOf(undefined, a)).toBe(a);
    expect(chainIdOf(a, b)).toBe(sha256(`${a} ${b}`));
  });
});

describe('bases of images', () => {
  it('share the layers that they have in common', () => {
    const before = withImage(emptyManifest(), 'one', 'abc');
    const manifest = withImage(before, 'two', 'abd');
    expect(checkGraph(manifest)).toEqual([]);
    expect(checkStep(before, manifest)).toEqual([]);
    expect(Object.keys(manifest.nodes)).toHaveLength(4);
    expect(layersOf(manifest, 'two').slice(1)).toEqual(layersOf(manifest, 'one').slice(1));
    expect(layersOf(manifest, 'two')[0]).not.toBe(layersOf(manifest, 'one')[0]);
  });

  it('stand on one another, or on the same layers', () => {
    const manifest = withImage(withImage(withImage(emptyManifest(), 'upper', 'ab'), 'lower', 'a'), 'same', 'ab');
    expect(checkGraph(manifest)).toEqual([]);
    expect(Object.keys(manifest.nodes)).toHaveLength(2);
    expect(manifest.bases['same']!.root).toBe(manifest.bases['upper']!.root);
    expect(layersOf(manifest, 'upper')[1]).toBe(manifest.bases['lower']!.root);
  });

  it('lose only the layers on which no other stands when they are removed', () => {
    const manifest = twoImages();
    const [top] = layersOf(manifest, 'one');
    const first = removeBase(manifest, 'one');
    expect(first.removedNodes).toEqual([top]);
    expect(checkGraph(first.manifest)).toEqual([]);
    const second = removeBase(first.manifest, 'two');
    expect(second.removedNodes).toHaveLength(3);
    expect(second.manifest.nodes).toEqual({});
  });

  it('have updates of their own above shared layers', () => {
    const same = withImage(withImage(emptyManifest(), 'one', 'ab'), 'two', 'ab');
    const both = withContainer(withContainer(same, 'web', 'one'), 'db', 'two');
    const first = updated(both, 'first', { web: 'S' }, 'one');
    const { manifest, update } = updated(first.manifest, 'second', { db: 'S' }, 'two');
    expect(checkGraph(manifest)).toEqual([]);
    const removed = removeBase(
      { ...first.manifest, containers: {}, updates: {}, nodes: same.nodes, bases: same.bases },
      'one',
    );
    expect(removed.removedNodes).toEqual([]);
    expect(manifest.updates[update]!.parent).toBe(manifest.bases['one']!.root);
  });

  it('keep the layers of their image when updates are merged', () => {
    const image = withImage(emptyManifest(), 'one', 'ab');
    const two = updated(updated(image, 'first', {}, 'one').manifest, 'second', {}, 'one').manifest;
    const plan = planMerge(two);
    expect(plan.folds.map(({ kind, parts }) => [kind, parts.length])).toEqual([['delta-layer', 2]]);
    const tree = { id: id('d'), entries: 1, bytes: 1 };
    const { manifest } = applyMerge(two, plan, [tree]);
    expect(checkGraph(manifest)).toEqual([]);
    expect(layersOf(manifest, 'one')).toEqual([tree.id, ...layersOf(image, 'one')]);
    expect(planMerge(withImage(emptyManifest(), 'one', 'abcd')).folds).toEqual([]);
  });

  it('are refused where a name is taken or a layer is neither known nor staged', () => {
    expect(() => withImage(twoImages(), 'one', 'a')).toThrow(/already exists/);
    const { image } = twoImages().bases['one']!;
    const layers = [{ image: Object.values(twoImages().nodes)[0]!.image!, node: undefined }];
    const request = { name: 'new', image: image!, layers, version: null, created };
    expect(() => addImageBase(emptyManifest(), request)).toThrow(/neither known nor staged/);
    expect(() => addImageBase(emptyManifest(), { ...request, layers: [] })).toThrow(/no layers/);
  });
});

describe('the check of image layers', () => {
  const sound = twoImages();
  const [top = '', middle = '', lowest = ''] = layersOf(sound, 'one');
  const node = (at: string, change: object): Manifest => ({
    ...sound,
    nodes: { ...sound.nodes, [at]: { ...sound.nodes[at]!, ...change } },
  });
  const codes = (manifest: Manifest) => checkGraph(manifest).map(({ code, subject }) => `${code} ${subject}`);

  it('finds a layer whose chain ID is another', () => {
    const { image } = sound.nodes[middle]!;
    expect(codes(node(middle, { image: { ...image, chainId: sha256('x') } }))).toContain(`CHAIN_ID ${middle}`);
  });

  it('finds two layers with one chain ID', () => {
    const twin = id('b');
    const nodes = { ...sound.nodes, [twin]: sound.nodes[lowest]! };
    expect(codes({ ...sound, nodes })).toEqual([`CHAIN_TWICE ${twin}`]);
  });

  it('finds a layer of an image on one that is none; the reverse may be, as a snapshot', () => {
    expect(codes(node(lowest, { image: null }))).toContain(`IMAGE_PARENT ${middle}`);
    expect(codes(node(top, { image: null }))).toEqual(['IMAGE_ROOT base one']);
  });

  it('finds layers in a circle', () => {
    expect(codes(node(lowest, { parent: top }))).toContain(`CYCLE ${lowest}`);
  });

  it('finds updates that were merged into one, and another kind of node', () => {
    const { manifest, layer, update } = updated(sound, 'first', {}, 'one');
    const at = (change: (id: string) => object) => ({ ...manifest, nodes: { ...manifest.nodes, ...change(layer) } });
    const image = sound.nodes[top]!.image;
    expect(codes(at((each) => ({ [each]: { ...manifest.nodes[each]!, image } })))).toContain(`IMAGE_KIND ${layer}`);
    expect(codes(at(() => ({ [top]: { ...manifest.nodes[top]!, merged: [update] } })))).toContain(
      `IMAGE_MERGED ${top}`,
    );
  });

  it('leaves bases of directories alone', () => {
    expect(checkGraph(withBase(sound))).toEqual([]);
  });
});
