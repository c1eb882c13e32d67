import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { manifestSchema } from '../../src/manifest/schema.js';
import type { Manifest } from '../../src/manifest/schema.js';

const id = (prefix: string, number: number) => `${prefix}-${number.toString(16).padStart(16, '0')}`;
const created = '2026-01-01T00:00:00.000Z';

type Mutable<T> = T extends object ? { -readonly [K in keyof T]: Mutable<T[K]> } : T;

/**
 * Fills a store's manifest, and nothing but it, with many containers: each update skipped most of them, and had a side
 * effect in every 20th. What the page reads of nodes is in the manifest; their trees are not looked at.
 */
export function fillManifest(
  store: string,
  base: string,
  { containers, updates }: { containers: number; updates: number },
): void {
  const file = join(store, 'manifest.json');
  const manifest = JSON.parse(readFileSync(file, 'utf8')) as Mutable<Manifest>;
  const root = manifest.bases[base]?.head ?? '';
  const tops = Array.from({ length: containers }, (_, number) => addStorage(manifest, id('s', number + 1), null, root));
  let layer = root;
  let next = containers + 1;
  for (let number = 1; number <= updates; number++) {
    const [made, update] = [id('d', number), id('u', number)];
    manifest.nodes[made] = { ...node('delta-layer'), parent: layer, update, entries: 3, bytes: 3000 };
    const effects = tops.map((top, at) => {
      const name = nameOf(at);
      if ((at + number) % 20 !== 0) return { ...effect(name), top };
      const storage = id('e', next);
      manifest.nodes[top] = { ...node('storage'), ...manifest.nodes[top], layer, sealed: true, entries: 2, bytes: 100 };
      manifest.nodes[storage] = { ...node('delta-storage'), parent: top, layer: made, update, entries: 1, bytes: 50 };
      tops[at] = addStorage(manifest, id('s', next++), storage, made);
      return { ...effect(name), outcome: 'changed' as const, storage, sealed: top, top: tops[at], entries: 1 };
    });
    const procedure = { kind: 'script' as const, hash: number.toString(16).padStart(16, '0') };
    const texts = { name: `update-${number}`, base, version: null, description: null, created, image: null };
    manifest.updates[update] = { ...texts, parent: layer, layer: made, state: 'committed', procedure, effects };
    layer = made;
  }
  for (const top of tops) manifest.nodes[top] = { ...manifest.nodes[top]!, layer };
  tops.forEach((storage, at) => (manifest.containers[nameOf(at)] = { base, layer, storage, created }));
  manifest.bases[base] = { ...manifest.bases[base]!, head: layer };
  writeFileSync(file, JSON.stringify(manifestSchema.parse(manifest)));
}

export const nameOf = (at: number): string => `web-${at + 1}`;

const node = (kind: Manifest['nodes'][string]['kind']): Mutable<Manifest['nodes'][string]> => ({
  ...{
    kind,
    parent: null,
    layer: null,
    update: null,
    merged: [],
    sealed: true,
    entries: 0,
    bytes: 0,
    created,
    image: null,
  },
});

function addStorage(manifest: Mutable<Manifest>, made: string, parent: string | null, layer: string): string {
  manifest.nodes[made] = { ...node('storage'), parent, layer, sealed: false };
  return made;
}

const effect = (container: string) => ({
  ...{ container, outcome: 'skipped' as const, storage: null, sealed: null, entries: 0, conflicts: 0 },
});
