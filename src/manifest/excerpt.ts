import { notFound } from '../base/errors.js';
import { baseOf, containerOf, own, reachableNodes } from './queries.js';
import type { Manifest } from './schema.js';

/**
 * The part of a manifest that some containers and bases are made of: a sound manifest by itself. A container brings its
 * base; a base comes without containers.
 * @param names of containers and bases; where both have the name, the container
 * @throws LaminaError notFound
 */
export function excerptOf(manifest: Manifest, names: readonly string[]): Manifest {
  const containers = new Set(names.filter((name) => own(manifest.containers, name) !== undefined));
  const bases = new Set(names.map((name) => (containers.has(name) ? containerOf(manifest, name).base : name)));
  for (const name of bases)
    if (own(manifest.bases, name) === undefined)
      throw notFound(`there is no container or base named '${name}'`, { code: 'NO_SUCH', hint: 'see lamina status' });
  const part = {
    ...manifest,
    // They are of this machine's containerd.
    containerd: {},
    bases: Object.fromEntries([...bases].sort().map((name) => [name, baseOf(manifest, name)])),
    containers: Object.fromEntries([...containers].sort().map((name) => [name, containerOf(manifest, name)])),
  };
  const reached = reachableNodes(part);
  const updates = Object.entries(manifest.updates)
    .filter(([, { base, layer }]) => bases.has(base) && reached.has(layer))
    .map(([id, update]) => {
      const effects = update.effects.filter(({ container }) => containers.has(container));
      return [id, { ...update, effects }] as const;
    });
  return {
    ...part,
    nodes: Object.fromEntries(Object.entries(manifest.nodes).filter(([id]) => reached.has(id))),
    updates: Object.fromEntries(updates),
  };
}
