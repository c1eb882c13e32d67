import { refused } from '../base/errors.js';
import { draftOf, finish, updateNode } from './draft.js';
import type { Draft } from './draft.js';
import { validateName } from './names.js';
import { baseOf, containerOf, nodeOf, updateOf } from './queries.js';
import type { Effect, Manifest, NodeId, Outcome, Update, UpdateId } from './schema.js';
import { addNode, addTop } from './transitions.js';
import type { SealedNode } from './transitions.js';

/** The effect of an update on one container. */
export interface EffectCommit {
  readonly container: string;
  /** `failed`: the container stays where it is, and all below is null. */
  readonly outcome: Outcome;
  /** The delta storage, or null without a side effect. */
  readonly delta: SealedNode | null;
  /**
   * The container's current top storage, to be sealed; null where it is empty and is reused as the top above the
   * update.
   */
  readonly sealed: SealedNode | null;
  /** The fresh, empty storage to put on top; null exactly where `sealed` is. */
  readonly top: NodeId | null;
  /** Paths at which the container's content and the update's could not be merged. */
  readonly conflicts?: number;
}

export interface UpdateCommit {
  readonly id: UpdateId;
  readonly name: string;
  readonly base: string;
  /** The version of the base that it makes, and what it is for, as its package says. */
  readonly version: string | null;
  readonly description: string | null;
  /** The layer it was computed on; must still be the base's head. */
  readonly parent: NodeId;
  readonly created: string;
  readonly procedure: Update['procedure'];
  /** Of an update that is a new image. */
  readonly image?: Update['image'];
  /** The delta layer. */
  readonly layer: SealedNode;
  /** One for each container to be serviced. Others on the same layer stay there. */
  readonly effects: readonly EffectCommit[];
}

/**
 * Puts the delta layer on the base's head, and every container of the effects onto it: its top storage S is sealed, the
 * delta storage (if any) stands on S, a fresh top on that.
 * @throws LaminaError usage: bad name; notFound; refused: the name is taken, or the base or a container is no longer
 * what the update was computed on
 */
export function commitUpdate(manifest: Manifest, commit: UpdateCommit): Manifest {
  validateName('update', commit.name);
  checkUpdateName(manifest, commit.name);
  const base = baseOf(manifest, commit.base);
  if (base.head !== commit.parent) throw stale(`base '${commit.base}'`);
  const draft = draftOf(manifest);
  const { id, entries, bytes } = commit.layer;
  addNode(draft, id);
  draft.nodes[id] = {
    kind: 'delta-layer',
    parent: commit.parent,
    layer: null,
    update: commit.id,
    merged: [],
    sealed: true,
    entries,
    bytes,
    created: commit.created,
    image: null,
  };
  draft.bases[commit.base] = { ...base, head: id };
  const { name, version, description, created, procedure, image = null, parent } = commit;
  const state = 'committed' as const;
  const about = { name, base: commit.base, version, description };
  const update = { ...about, parent, layer: id, state, created, procedure, image };
  const effects = applyEffects(manifest, draft, {
    id: commit.id,
    update,
    merged: [],
    created,
    effects: commit.effects,
  });
  draft.updates[commit.id] = { ...update, effects };
  return finish(manifest, draft);
}

/**
 * Brings containers that stayed on the layer below onto the layer of an update that is committed already (catch-up).
 * Where older updates were merged into that layer, it embodies them too: the delta storage is theirs as well, and each
 * of them gets an effect that names none.
 * @throws LaminaError notFound; refused: a container is not on the layer below, the update was rolled back, or its
 * layer is part of a newer update's
 */
export function addEffects(
  manifest: Manifest,
  id: UpdateId,
  { effects, created }: { effects: readonly EffectCommit[]; created: string },
): Manifest {
  const update = updateOf(manifest, id);
  if (update.state === 'rolled-back') {
    throw refused(`update '${update.name}' was rolled back`, { code: 'UPDATE_ROLLED_BACK', hint: 'apply it again' });
  }
  const node = nodeOf(manifest, update.layer);
  if (node.update !== id || node.parent === null) throw stale(`update '${update.name}'`);
  const draft = draftOf(manifest);
  const onLayer = { ...update, parent: node.parent };
  const added = applyEffects(manifest, draft, { id, update: onLayer, merged: node.merged, created, effects });
  const again = new Set(added.map((effect) => effect.container));
  const put = (to: UpdateId, more: readonly Effect[]) => {
    const each = updateOf(manifest, to);
    const kept = each.effects.filter((effect) => !again.has(effect.container));
    draft.updates[to] = { ...each, effects: [...kept, ...more] };
  };
  put(id, added);
  const without = added.map((effect) => ({ ...effect, storage: null, entries: 0, conflicts: 0 }));
  for (const older of node.merged) put(older, without);
  return finish(manifest, draft);
}

/** @throws LaminaError refused an update of this name is in the store */
export function checkUpdateName(manifest: Manifest, name: string): void {
  if (Object.values(manifest.updates).every((update) => update.name !== name)) return;
  throw refused(`an update named '${name}' already exists`, {
    code: 'UPDATE_EXISTS',
    hint: 'give another name with --name, or roll it back first',
  });
}

interface Application {
  readonly id: UpdateId;
  readonly update: Omit<Update, 'effects'>;
  /** Older updates that its layer embodies. */
  readonly merged: readonly UpdateId[];
  readonly created: string;
  readonly effects: readonly EffectCommit[];
}

function applyEffects(manifest: Manifest, draft: Draft, application: Application): Effect[] {
  const { id, update, merged, created } = application;
  const seen = new Set<string>();
  return application.effects.map((effect): Effect => {
    const { container: name, outcome, delta, conflicts = 0 } = effect;
    const container = containerOf(manifest, name);
    if (seen.has(name) || container.base !== update.base) throw stale(`container '${name}'`);
    seen.add(name);
    const entries = delta?.entries ?? 0;
    const common = { container: name, outcome, entries, conflicts };
    if (outcome === 'failed') return { ...common, storage: null, sealed: null, top: null };
    if (container.layer !== update.parent) throw stale(`container '${name}'`);
    const top = seal(draft, container.storage, effect);
    const below = effect.sealed?.id ?? draft.nodes[container.storage]?.parent ?? null;
    if (delta !== null) addDelta(draft, delta, { parent: below, layer: update.layer, update: id, merged, created });
    const parent = delta?.id ?? below;
    if (effect.sealed === null) updateNode(draft, top, { parent, layer: update.layer });
    else addTop(draft, top, { parent, layer: update.layer, created });
    draft.containers[name] = { ...container, layer: update.layer, storage: top };
    return { ...common, storage: delta?.id ?? null, sealed: effect.sealed?.id ?? null, top };
  });
}

/** Seals the top storage if the effect names it; returns the id of the top above the update. */
function seal(draft: Draft, storage: NodeId, { container, sealed, top }: EffectCommit): NodeId {
  if (sealed === null && top === null) return storage;
  if (sealed === null || top === null || sealed.id !== storage) throw stale(`the storage of container '${container}'`);
  updateNode(draft, storage, { sealed: true, entries: sealed.entries, bytes: sealed.bytes });
  return top;
}

interface DeltaPlace {
  readonly parent: NodeId | null;
  readonly layer: NodeId;
  readonly update: UpdateId;
  readonly merged: readonly UpdateId[];
  readonly created: string;
}

function addDelta(draft: Draft, { id, entries, bytes }: SealedNode, place: DeltaPlace): void {
  addNode(draft, id);
  draft.nodes[id] = { kind: 'delta-storage', ...place, sealed: true, entries, bytes, image: null };
}

function stale(what: string) {
  return refused(`${what} has changed since the update was begun`, {
    code: 'STALE',
    hint: 'begin the update again',
  });
}
