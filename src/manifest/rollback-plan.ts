import { refused } from '../base/errors.js';
import { draftOf, finishPruned, updateNode } from './draft.js';
import type { Draft, Transition } from './draft.js';
import { baseOf, containerOf, containersOn, nodeOf, own, storageChain, updateOf, updatesAbove } from './queries.js';
import type { Effect, Manifest, NodeId, Update, UpdateId } from './schema.js';

export interface RollbackRequest {
  readonly update: UpdateId;
  /** Only these containers; undefined: the whole update, which leaves its base's lineage. */
  readonly containers?: readonly string[] | undefined;
  /**
   * Containers whose storages made since the update stay as they are, above the storage of before, which stays sealed.
   * Of all other containers the storage of before is writable and on top again, and those made since leave the
   * manifest: right where they are empty, or where the caller has moved their content down.
   */
  readonly keep?: ReadonlySet<string>;
}

/** One container's part of a rollback. */
export interface ContainerRollback {
  readonly container: string;
  /** The layer it is pinned to afterwards. */
  readonly layer: NodeId;
  /** Its top storage afterwards. */
  readonly storage: NodeId;
  /** The delta storage that is removed, or null. */
  readonly delta: NodeId | null;
  /** The delta layer it no longer stands on. */
  readonly deltaLayer: NodeId;
  /**
   * Storages written since the update, newest first: entries of theirs that overlap the update's paths are displaced.
   */
  readonly user: readonly NodeId[];
  /**
   * Where the content of `move` goes: the storage that was on top before the update (with a reused top: that one, which
   * is then in `user` too).
   */
  readonly before: NodeId;
  /** Storages that leave the manifest, newest first, whose content must be moved to `before`. Empty with `keep`. */
  readonly move: readonly NodeId[];
}

export interface Rollback extends Transition {
  readonly containers: readonly ContainerRollback[];
  /** Of a whole rollback: containers that stay on the delta layer, because they were created on it. */
  readonly staying: readonly string[];
}

/**
 * Undoes an update, for all its containers or some. With no user writes since, and no other container on its layer, the
 * manifest is what it was before, but for the generation.
 *
 * Before the update container c had top S. The update sealed S, put Δ (or nothing) on S, and an empty T on that.
 * Undone, c is pinned to the layer below, Δ is removed, and S is the unsealed top again; or, with `keep`, T (with what
 * later rollbacks left above it) stands on the still sealed S. Where the empty top was reused, S is T.
 *
 * The delta layer and the update's record are removed when nothing stands on the layer any more: not while it is in the
 * lineage of its base (rollback of some containers), nor while a container created on it exists; then the record stays,
 * `rolled-back` after a whole rollback.
 *
 * @throws LaminaError notFound: update, container; refused: another update stands on it, was rolled back already, or
 * did not affect a named container
 */
export function rollbackUpdate(manifest: Manifest, request: RollbackRequest): Rollback {
  const update = updateOf(manifest, request.update);
  if (update.state === 'merged') {
    throw refused(`update '${update.name}' was merged into layer ${update.layer} and can no longer be rolled back`, {
      code: 'UPDATE_MERGED',
      hint: 'to keep updates apart, use: lamina merge --keep N',
    });
  }
  const whole = request.containers === undefined;
  if (whole) checkHead(manifest, request.update, update);
  const effects = whole ? standing(update) : request.containers.map((name) => effectOn(manifest, update, name));
  const draft = draftOf(manifest);
  const containers = effects.map((effect) =>
    rollbackContainer(manifest, draft, { update, effect, keep: request.keep?.has(effect.container) === true }),
  );
  const gone = new Set(effects.map((effect) => effect.container));
  const left = whole ? [] : update.effects.filter((effect) => !gone.has(effect.container));
  draft.updates[request.update] = { ...update, state: whole ? 'rolled-back' : update.state, effects: left };
  if (whole) draft.bases[update.base] = { ...baseOf(manifest, update.base), head: update.parent };
  const transition = finishPruned(manifest, draft);
  return {
    ...transition,
    containers,
    staying: whole ? containersOn(transition.manifest, update.base, update.layer) : [],
  };
}

function standing(update: Update): Effect[] {
  return update.effects.filter((effect) => effect.outcome !== 'failed');
}

function checkHead(manifest: Manifest, id: UpdateId, update: Update): void {
  if (update.state === 'rolled-back') {
    throw refused(`update '${update.name}' was already rolled back`, {
      code: 'UPDATE_ROLLED_BACK',
      hint: `its layer is removed with the last container that was created on it: ${containersOn(manifest, update.base, update.layer).join(', ')}`,
    });
  }
  if (baseOf(manifest, update.base).head === update.layer) return;
  const above = updatesAbove(manifest, id).map((other) => updateOf(manifest, other));
  throw newer(
    update,
    above.filter((other) => other.state !== 'rolled-back'),
  );
}

function effectOn(manifest: Manifest, update: Update, name: string): Effect {
  containerOf(manifest, name);
  const effect = standing(update).find((each) => each.container === name);
  if (effect !== undefined) return effect;
  throw refused(`update '${update.name}' was not applied to container '${name}'`, {
    code: 'NOT_APPLIED',
    hint: `see lamina update show ${update.name}`,
  });
}

function newer(update: Update, above: readonly Update[]) {
  const names = above.map((other) => other.name).reverse();
  return refused(`update '${update.name}' has newer updates above it: ${names.join(', ')}`, {
    code: 'NEWER_UPDATES',
    hint: 'roll back the newest first, or all of them with --with-newer',
  });
}

interface Undo {
  readonly update: Update;
  readonly effect: Effect;
  readonly keep: boolean;
}

function rollbackContainer(manifest: Manifest, draft: Draft, { update, effect, keep }: Undo): ContainerRollback {
  const { container: name } = effect;
  const container = containerOf(manifest, name);
  if (container.layer !== update.layer) {
    const above = Object.values(manifest.updates).filter((other) => appliedAbove(manifest, other, update, name));
    throw newer(update, above);
  }
  const user = storagesSince(manifest, container.storage, effect);
  const lowest = user.at(-1) ?? container.storage;
  const before = effect.sealed ?? lowest;
  const below =
    effect.sealed ??
    (effect.storage === null ? nodeOf(manifest, lowest).parent : nodeOf(manifest, effect.storage).parent);
  const storage = keep ? container.storage : before;
  if (keep || effect.sealed === null) {
    for (const id of user) updateNode(draft, id, { layer: update.parent });
    updateNode(draft, lowest, { parent: below });
  }
  if (!keep) updateNode(draft, before, { sealed: false, entries: 0, bytes: 0 });
  draft.containers[name] = { ...container, layer: update.parent, storage };
  return {
    container: name,
    layer: update.parent,
    storage,
    delta: effect.storage,
    deltaLayer: update.layer,
    user,
    before,
    move: keep ? [] : user.filter((id) => id !== before),
  };
}

/**
 * The container's storages above the update, newest first. @throws LaminaError refused where another update's delta
 * storage is among them
 */
function storagesSince(manifest: Manifest, top: NodeId, effect: Effect): NodeId[] {
  const ids: NodeId[] = [];
  for (const id of storageChain(manifest, top)) {
    const { kind, update } = nodeOf(manifest, id);
    if (kind !== 'storage') {
      const other = update === null ? undefined : own(manifest.updates, update);
      throw refused(`container '${effect.container}' has a newer update: ${other?.name ?? id}`, {
        code: 'NEWER_UPDATES',
        hint: 'roll back the newest first, or all of them with --with-newer',
      });
    }
    ids.push(id);
    if (id === effect.top) break;
  }
  return ids;
}

function appliedAbove(manifest: Manifest, other: Update, update: Update, container: string): boolean {
  if (!standing(other).some((effect) => effect.container === container)) return false;
  for (let at: NodeId | null = other.layer; at !== null; at = nodeOf(manifest, at).parent) {
    if (at === update.layer) return other.layer !== update.layer;
  }
  return false;
}
