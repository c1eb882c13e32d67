import { addBase, commitUpdate, createContainer, emptyManifest, stackOf } from '../../../src/manifest/index.js';
import type { EffectCommit, Manifest, UpdateCommit } from '../../../src/manifest/index.js';

let last = 0;
const created = '2026-01-01T00:00:00.000Z';

export function id(prefix: string): string {
  return `${prefix}-${(++last).toString(16).padStart(16, '0')}`;
}

export function withBase(manifest = emptyManifest(), name = 'debian'): Manifest {
  return addBase(manifest, { name, layer: { id: id('b'), entries: 10, bytes: 100 }, version: null, created });
}

export function withContainer(manifest: Manifest, name: string, base = 'debian'): Manifest {
  return createContainer(manifest, { name, base, storage: id('s'), created });
}

/** `S`: the top is sealed, `0`: it is reused; `+Δ`: a delta storage. */
export function effect(manifest: Manifest, container: string, how: 'S' | '0' | 'S+Δ' | '0+Δ' | 'failed'): EffectCommit {
  if (how === 'failed') return { container, outcome: 'failed', delta: null, sealed: null, top: null };
  const delta = how.endsWith('Δ') ? { id: id('e'), entries: 3, bytes: 30 } : null;
  const [top] = stackOf(manifest, container).storages;
  const sealed = how.startsWith('S') ? { id: top!, entries: 5, bytes: 50 } : null;
  return { container, outcome: delta ? 'changed' : 'unchanged', delta, sealed, top: sealed && id('s') };
}

export function commit(manifest: Manifest, name: string, effects: EffectCommit[], base = 'debian'): UpdateCommit {
  return {
    id: id('u'),
    name,
    base,
    version: null,
    description: null,
    parent: manifest.bases[base]!.head,
    created,
    procedure: { kind: 'script', hash: '0123456789abcdef' },
    layer: { id: id('d'), entries: 7, bytes: 70 },
    effects,
  };
}

export function updated(
  manifest: Manifest,
  name: string,
  effects: Record<string, Parameters<typeof effect>[2]>,
  base = 'debian',
): { manifest: Manifest; update: string; layer: string } {
  const each = Object.entries(effects).map(([container, how]) => effect(manifest, container, how));
  const request = commit(manifest, name, each, base);
  return { manifest: commitUpdate(manifest, request), update: request.id, layer: request.layer.id };
}
