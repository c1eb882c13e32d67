import { describe, expect, it } from 'vitest';
import { checkGraph, checkStep } from '../../../src/manifest/index.js';
import type { Container, Effect, Manifest, ManifestNode, Update } from '../../../src/manifest/index.js';
import { updated, withBase, withContainer } from './support.js';

const sound = updated(withContainer(withContainer(withBase(), 'web'), 'db'), 'openssl', { web: 'S+Δ', db: 'S' });
const { layer, update } = sound;
const root = sound.manifest.bases['debian']!.root;
const effects = sound.manifest.updates[update]!.effects;
const [web, db] = [effects[0]!, effects[1]!];
const nowhere = (prefix: string) => `${prefix}-ffffffffffffffff`;

const node = (id: string, change: Partial<ManifestNode>) => (manifest: Manifest) => ({
  ...manifest,
  nodes: { ...manifest.nodes, [id]: { ...manifest.nodes[id]!, ...change } },
});
const container = (name: string, change: Partial<Container>) => (manifest: Manifest) => ({
  ...manifest,
  containers: { ...manifest.containers, [name]: { ...manifest.containers[name]!, ...change } },
});
const record = (change: Partial<Update>) => (manifest: Manifest) => ({
  ...manifest,
  updates: { ...manifest.updates, [update]: { ...manifest.updates[update]!, ...change } },
});
const effectOf = (change: Partial<Effect>) => record({ effects: [{ ...web, ...change }, db] });
const base = (change: object) => (manifest: Manifest) => ({
  ...manifest,
  bases: { debian: { ...manifest.bases['debian']!, ...change } },
});

describe('the check of the graph', () => {
  it('finds nothing in a sound one', () => {
    expect(checkGraph(sound.manifest)).toEqual([]);
  });

  it.each<[string, (manifest: Manifest) => Manifest, string, string]>([
    ['a parent that is missing', node(layer, { parent: nowhere('b') }), 'NODE_MISSING', layer],
    ['a parent of the other side', node(web.top!, { parent: root }), 'EDGE_KIND', web.top!],
    ['a layer on a storage', node(layer, { parent: web.sealed }), 'EDGE_KIND', layer],
    ['a layer edge to a storage', node(web.top!, { layer: db.sealed }), 'EDGE_KIND', web.top!],
    ['a layer edge to nothing', node(web.top!, { layer: nowhere('d') }), 'NODE_MISSING', web.top!],
    ['a delta storage made on a base layer', node(web.storage!, { layer: root }), 'EDGE_KIND', web.storage!],
    ['a storage without a layer', node(web.top!, { layer: null }), 'LAYER_MISSING', web.top!],
    ['a delta layer on nothing', node(layer, { parent: null }), 'PARENT_MISSING', layer],
    ['a base layer on something', node(root, { parent: layer }), 'EDGE_KIND', root],
    ['a cycle', node(web.sealed!, { parent: web.storage }), 'CYCLE', web.sealed!],
    ['a kind that is not the id’s', node(web.sealed!, { kind: 'delta-storage' }), 'KIND', web.sealed!],
    ['a writable layer', node(layer, { sealed: false }), 'NOT_SEALED', layer],
    ['a writable storage below', node(web.sealed!, { sealed: false }), 'NOT_SEALED', web.sealed!],
    ['a sealed top', node(web.top!, { sealed: true }), 'SEALED', 'container web'],
    ['a delta without an update', node(layer, { update: null }), 'UPDATE_EDGE', layer],
    ['a storage of an update', node(web.top!, { update }), 'UPDATE_EDGE', web.top!],
    ['an update that is missing', node(web.storage!, { update: nowhere('u') }), 'UPDATE_MISSING', web.storage!],
    ['a head that is missing', base({ head: nowhere('d') }), 'NODE_MISSING', 'base debian'],
    ['a head of another lineage', base({ root: layer }), 'LINEAGE', 'base debian'],
    ['a pin to a layer that is missing', container('web', { layer: nowhere('d') }), 'NODE_MISSING', 'container web'],
    [
      'a pin to a storage that is missing',
      container('web', { storage: nowhere('s') }),
      'NODE_MISSING',
      'container web',
    ],
    ['a pin to a delta storage', container('web', { storage: web.storage! }), 'EDGE_KIND', 'container web'],
    ['a pin to another layer than the top’s', container('web', { layer: root }), 'TOP_LAYER', 'container web'],
    ['a base that is missing', container('web', { base: 'nowhere' }), 'BASE_MISSING', 'container web'],
    ['a storage of two containers', container('web', { storage: db.top! }), 'SHARED', db.top!],
    ['a writable storage of nobody', container('web', { storage: db.top! }), 'NO_OWNER', web.top!],
    ['an update off the lineage', base({ head: root }), 'LINEAGE', update],
    ['an update of no base', record({ base: 'nowhere' }), 'BASE_MISSING', update],
    ['an update with another parent', record({ parent: layer }), 'UPDATE_EDGE', update],
    ['an effect on nobody', effectOf({ container: 'nobody' }), 'CONTAINER_MISSING', `${update} on container nobody`],
    ['an effect twice', record({ effects: [web, web, db] }), 'EFFECT_TWICE', update],
    [
      'a delta storage in two effects',
      record({ effects: [web, { ...db, storage: web.storage }] }),
      'SHARED',
      web.storage!,
    ],
    [
      'an effect with nodes that are missing',
      effectOf({ sealed: nowhere('s') }),
      'NODE_MISSING',
      `${update} on container web`,
    ],
    ['a failed effect with a top', effectOf({ outcome: 'failed' }), 'EFFECT', `${update} on container web`],
    [
      'two updates of one name',
      (manifest) => ({ ...manifest, updates: { ...manifest.updates, [nowhere('u')]: manifest.updates[update]! } }),
      'NAME_TWICE',
      nowhere('u'),
    ],
  ])('finds %s', (_, damage, code, subject) => {
    const findings = checkGraph(damage(sound.manifest));
    expect(findings).toContainEqual(expect.objectContaining({ code, subject }));
    for (const { message } of findings) expect(message).not.toBe('');
    expect(checkStep(sound.manifest, damage(sound.manifest))).toEqual(findings);
  });
});
