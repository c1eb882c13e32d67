import { statSync } from 'node:fs';
import { toBuffer } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { isSystemError } from '../base/errors.js';
import { updatesOf, own, nodeOf } from '../manifest/index.js';
import type { Manifest } from '../manifest/index.js';
import { graphData } from './graph.js';
import type { GraphData } from './graph.js';
import { Store } from '../store/index.js';

/** What `lamina serve` needs from a store besides the use cases of commands. */

/** The directory of its jobs and its audit log, which only it uses. It may be missing. */
export const serveDirectory = (store: Store): BytePath => store.paths.serve;

/**
 * A store whose manifest is read again only when it was replaced: reading one of thousands of containers takes longer
 * than most answers.
 */
class ServedStore extends Store {
  #known: { readonly stamp: string; readonly manifest: Promise<Manifest> } | undefined;

  override async read(): Promise<Manifest> {
    // Before the manifest is read: a newer one under an older stamp is read once more, and never the other way round.
    const stamp = manifestStamp(this);
    if (stamp !== '' && this.#known?.stamp === stamp) return this.#known.manifest;
    const known = { stamp, manifest: super.read() };
    this.#known = known;
    known.manifest.catch(() => {
      if (this.#known === known) this.#known = undefined;
    });
    return known.manifest;
  }
}

export const servedStore = (root: BytePath): Store => new ServedStore(root);

/** Changes whenever the manifest is replaced. Takes no lock. Empty where there is no manifest. */
export function manifestStamp(store: Store): string {
  try {
    const { ino, mtimeNs, size } = statSync(toBuffer(store.paths.manifest), { bigint: true });
    return `${ino}-${mtimeNs}-${size}`;
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return '';
    throw error;
  }
}

export const generationOf = async (store: Store): Promise<number> => (await store.read()).generation;

/**
 * The part of the graph that belongs to a base: its layers, the containers on it, and all that these depend on.
 * @throws LaminaError notFound
 */
export async function graphOf(store: Store, base: string | undefined): Promise<GraphData> {
  const manifest = await store.read();
  const whole = graphData(manifest);
  if (base === undefined) return whole;
  const bases = whole.bases.filter(({ name }) => name === base);
  const containers = whole.containers.filter((container) => container.base === base);
  const kept = reachable(manifest, [
    ...bases.map(({ head }) => head),
    ...updatesOf(manifest, base).flatMap((id) => own(manifest.updates, id)?.layer ?? []),
    ...containers.flatMap(({ layer, storage }) => [layer, storage]),
  ]);
  return {
    nodes: whole.nodes.filter(({ id }) => kept.has(id)),
    edges: whole.edges.filter(({ from, to }) => kept.has(from) && kept.has(to)),
    bases,
    containers,
  };
}

function reachable(manifest: Manifest, from: readonly string[]): Set<string> {
  const found = new Set<string>();
  const left = from.filter((id) => own(manifest.nodes, id) !== undefined);
  for (let id = left.pop(); id !== undefined; id = left.pop()) {
    if (found.has(id)) continue;
    found.add(id);
    const { parent, layer } = nodeOf(manifest, id);
    for (const next of [parent, layer]) if (next !== null) left.push(next);
  }
  return found;
}
