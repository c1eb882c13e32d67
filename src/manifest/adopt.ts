import { refused, usage } from '../base/errors.js';
import { draftOf, finish } from './draft.js';
import type { Draft } from './draft.js';
import { imageLayers } from './image-base.js';
import { validateName } from './names.js';
import { own } from './queries.js';
import type { Effect, Manifest, ManifestNode, NodeId, Update, UpdateId } from './schema.js';

/** How names of a manifest are to be called elsewhere. */
export type Renames = ReadonlyMap<string, string>;

/** @throws LaminaError usage: nothing has such a name; or a new name is none */
export function withNames(manifest: Manifest, renames: Renames): Manifest {
  const { bases, containers, updates } = manifest;
  const updateNames = new Set(Object.values(updates).map(({ name }) => name));
  for (const [old, name] of renames) {
    if (own(bases, old) === undefined && own(containers, old) === undefined && !updateNames.has(old))
      throw usage(`nothing in the archive is named '${old}'`, {
        code: 'NO_SUCH',
        hint: `it has: ${[...Object.keys(bases), ...Object.keys(containers), ...updateNames].join(', ')}`,
      });
    validateName('container', name);
  }
  const to = (name: string) => renames.get(name) ?? name;
  for (const names of [Object.keys(bases), Object.keys(containers), [...updateNames]]) refuseTwice(names.map(to));
  const keyed = <T>(table: Readonly<Record<string, T>>) =>
    Object.fromEntries(Object.entries(table).map(([name, value]) => [to(name), value]));
  const effectsOf = ({ effects }: Update) => effects.map((each) => ({ ...each, container: to(each.container) }));
  return {
    ...manifest,
    bases: keyed(bases),
    containers: Object.fromEntries(
      Object.entries(containers).map(([name, each]) => [to(name), { ...each, base: to(each.base) }]),
    ),
    updates: Object.fromEntries(
      Object.entries(updates).map(([id, each]) => [
        id,
        { ...each, name: to(each.name), base: to(each.base), effects: effectsOf(each) },
      ]),
    ),
  };
}

function refuseTwice(names: readonly string[]): void {
  const seen = new Set<string>();
  const twice = names.find((name) => seen.size === seen.add(name).size);
  if (twice !== undefined)
    throw usage(`two things of the archive would be named '${twice}'`, { hint: 'give each a name of its own: --as' });
}

export interface Adoption {
  readonly manifest: Manifest;
  /** Of all nodes that come: the id that each has here. Those of nodes that are here already are not among `added`. */
  readonly ids: ReadonlyMap<NodeId, NodeId>;
  /** Nodes that are not here yet, by the ids with which they come. */
  readonly added: readonly NodeId[];
  readonly updates: readonly UpdateId[];
}

export interface Arrival {
  /** A sound part of another store's manifest. */
  readonly manifest: Manifest;
  /** Layers with ids that are here, too, and the same content. */
  readonly equal: ReadonlySet<NodeId>;
  /** A new id for a storage whose own is taken; for the same one always the same. */
  readonly freshId: (id: NodeId) => NodeId;
}

const hintAs = (name: string) => `give it another name: --as ${name}=NEW`;

/**
 * Adds a part of another store's manifest. Layers that are here already are shared; a base of the same name must be the
 * very same.
 * @throws LaminaError refused: a name or an id is taken by something else
 */
export function adopt(present: Manifest, arrival: Arrival): Adoption {
  const draft = draftOf(present);
  const { ids, added } = placeNodes(present, arrival);
  const at = (id: NodeId) => ids.get(id) ?? id;
  for (const id of added) {
    const node = arrival.manifest.nodes[id] as ManifestNode;
    const { parent, layer } = node;
    draft.nodes[at(id)] = { ...node, parent: parent && at(parent), layer: layer && at(layer) };
  }
  addBases(present, draft, arrival.manifest, at);
  addContainers(present, draft, arrival.manifest, at);
  const updates = addUpdates(present, draft, arrival.manifest, at);
  // Records of runs are valid from the generation that they name; each container that comes may need one for its own.
  const room = Math.max(1, Object.keys(arrival.manifest.containers).length);
  const generation = Math.max(present.generation, arrival.manifest.generation) + room;
  return { manifest: { ...finish(present, draft), generation }, ids, added, updates };
}

function placeNodes(present: Manifest, { manifest, equal, freshId }: Arrival) {
  const images = imageLayers(present);
  const ids = new Map<NodeId, NodeId>();
  const added: NodeId[] = [];
  for (const [id, node] of Object.entries(manifest.nodes)) {
    const known = node.image === null ? undefined : images.get(node.image.chainId);
    const here = own(present.nodes, id);
    const isLayer = node.kind.endsWith('layer');
    if (known !== undefined) ids.set(id, known);
    else if (here === undefined) {
      ids.set(id, id);
      added.push(id);
    } else if (!isLayer) {
      ids.set(id, freshId(id));
      added.push(id);
    } else if (equal.has(id) && here.kind === node.kind) ids.set(id, id);
    else
      throw refused(`${node.kind} ${id} is in the store already, with other content`, {
        code: 'NODE_DIFFERS',
        hint: 'import the archive into another store',
      });
  }
  return { ids, added };
}

type At = (id: NodeId) => NodeId;

function addBases(present: Manifest, draft: Draft, { bases }: Manifest, at: At): void {
  for (const [name, base] of Object.entries(bases)) {
    const here = own(present.bases, name);
    const placed = { ...base, root: at(base.root), head: at(base.head) };
    if (here === undefined) draft.bases[name] = placed;
    else if (here.root !== placed.root || here.head !== placed.head)
      throw refused(
        here.root === placed.root
          ? `base '${name}' is in the store already, with other updates`
          : `a base named '${name}' already exists`,
        { code: 'BASE_EXISTS', hint: hintAs(name) },
      );
  }
}

function addContainers(present: Manifest, draft: Draft, { containers }: Manifest, at: At): void {
  for (const [name, container] of Object.entries(containers)) {
    if (own(present.containers, name) !== undefined)
      throw refused(`a container named '${name}' already exists`, { code: 'CONTAINER_EXISTS', hint: hintAs(name) });
    draft.containers[name] = { ...container, layer: at(container.layer), storage: at(container.storage) };
  }
}

function addUpdates(present: Manifest, draft: Draft, { updates }: Manifest, at: At): UpdateId[] {
  const names = new Map(Object.entries(present.updates).map(([id, { name }]) => [name, id]));
  const added: UpdateId[] = [];
  const placed = (id: NodeId | null) => id && at(id);
  for (const [id, update] of Object.entries(updates)) {
    const effects = update.effects.map((each): Effect => ({
      ...each,
      storage: placed(each.storage),
      sealed: placed(each.sealed),
      top: placed(each.top),
    }));
    const moved = { ...update, layer: at(update.layer), parent: at(update.parent), effects };
    const here = own(present.updates, id);
    if (here === undefined) {
      if (names.has(update.name))
        throw refused(`an update named '${update.name}' already exists`, {
          code: 'UPDATE_EXISTS',
          hint: hintAs(update.name),
        });
      added.push(id);
      draft.updates[id] = moved;
    } else draft.updates[id] = joined(here, moved);
  }
  return added;
}

/** One update, with the containers that it has on either side. */
function joined(here: Update, moved: Update): Update {
  const { base, layer, parent, state } = here;
  if (base === moved.base && layer === moved.layer && parent === moved.parent && state === moved.state)
    return moved.effects.length === 0 ? here : { ...here, effects: [...here.effects, ...moved.effects] };
  throw refused(
    `update '${here.name}' is in the store already, ${base === moved.base ? 'in another state' : `of base '${base}'`}`,
    { code: 'UPDATE_EXISTS', hint: 'import the archive into another store' },
  );
}
