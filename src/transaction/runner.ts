import type { Manifest, Transition } from '../manifest/index.js';
import { withTransaction } from '../store/index.js';
import type { Store, Transaction, TransactionRecord } from '../store/index.js';
import { withHold } from './hold.js';
import type { ContainerHold } from './hold.js';

/** A transaction with the containers that must not be mounted or changed before it has ended. */
export interface ChangeContext {
  readonly transaction: Transaction;
  readonly hold: ContainerHold;
  /** Ends the change before it is published. */
  readonly signal?: AbortSignal | undefined;
}

/** How the transaction of a change begins. */
export interface Begin {
  /** As in `transaction.json`. */
  readonly kind: string;
  readonly details?: TransactionRecord['details'];
  readonly signal?: AbortSignal | undefined;
  /** Takes what the command holds, and makes its checks, before anything is written to the store. */
  readonly before?: (hold: ContainerHold) => Promise<void>;
}

/**
 * One change of the store: the parts that differ between updates, catch-ups, rollbacks, merges and restores.
 * `publishChange` calls the members in this order: `plan` and `stage` until nothing is missing, `isEmpty`, `judge`, and
 * under the store's lock `plan`, `transition` and `permit`. Where the second `plan` finds something missing, everything
 * is repeated with that.
 */
export interface Change<Plan> {
  /**
   * What is still to be staged for the store with this `manifest`; undefined: nothing. Stages nothing itself.
   * @throws LaminaError refused: the store is no longer what was staged for
   */
  readonly plan: (manifest: Manifest) => Plan | undefined;
  /** Stages what a plan found missing, and keeps what was staged before. It is invisible to others. */
  readonly stage: (plan: Plan, manifest: Manifest) => Promise<void>;
  /** The store's state with all that is staged. @throws LaminaError refused: as `plan` */
  readonly transition: (manifest: Manifest) => Manifest | Transition;
  /** Whether there is nothing to publish: then the transaction is discarded. By default there is. */
  readonly isEmpty?: () => boolean;
  /**
   * Judges what is staged, in the views that it makes: a `StagedReader` on `after` reads them.
   * @param after the manifest that would be published if the store did not change meanwhile
   * @throws LaminaError: it must not be published
   */
  readonly judge?: (after: Manifest) => Promise<void>;
  /** @throws LaminaError refused: other work in the store forbids it */
  readonly permit?: (present: Manifest, transition: Transition) => Promise<void>;
  /** The update of which the transaction has the directory. */
  readonly update?: string;
}

/**
 * Begins a transaction for `work`, which ends it by one of the functions below. Where `work` throws, the transaction is
 * discarded.
 */
export async function withChange<T>(
  store: Store,
  begin: Begin,
  work: (context: ChangeContext) => Promise<T>,
): Promise<T> {
  const { kind, details, signal, before } = begin;
  return withHold(store, async (hold) => {
    await before?.(hold);
    return withTransaction(store, kind, async (transaction) => work({ transaction, hold, signal }), details);
  });
}

/**
 * Plans, stages, judges and publishes a change, and ends its transaction.
 * @returns the published manifest; undefined: the change is empty, and nothing was published
 * @throws what the change throws; the transaction stays open, for its owner to discard
 */
export async function publishChange<Plan>(context: ChangeContext, change: Change<Plan>): Promise<Manifest | undefined> {
  for (;;) {
    const manifest = await prepare(context, change);
    if (change.isEmpty?.() === true) {
      await context.transaction.discard();
      return undefined;
    }
    await change.judge?.(manifestOf(change.transition(manifest)));
    const published = await publish(context, change);
    if (published !== undefined) return published;
  }
}

/**
 * All of `publishChange` but the publish, and discards the transaction.
 * @param look returns what the caller needs of what is staged
 */
export async function previewChange<Plan, T>(
  context: ChangeContext,
  change: Change<Plan>,
  look: (before: Manifest, after: Manifest) => Promise<T> | T,
): Promise<T> {
  const before = await prepare(context, change);
  const after = manifestOf(change.transition(before));
  await change.judge?.(after);
  const seen = await look(before, after);
  await context.transaction.discard();
  return seen;
}

/** Plans and stages for the store as it is now, until nothing is missing. Returns the manifest for which that holds. */
async function prepare<Plan>({ transaction, hold }: ChangeContext, change: Change<Plan>): Promise<Manifest> {
  const manifest = await transaction.store.read();
  hold.check(manifest);
  for (;;) {
    const plan = change.plan(manifest);
    if (plan === undefined) return manifest;
    await change.stage(plan, manifest);
  }
}

/** Undefined: the store has changed, and something is missing. */
async function publish<Plan>(
  { transaction, hold, signal }: ChangeContext,
  change: Change<Plan>,
): Promise<Manifest | undefined> {
  try {
    return await transaction.publish(async (present) => {
      hold.check(present);
      if (change.plan(present) !== undefined) throw new SomethingMissing();
      const transition = transitionOf(change.transition(present));
      await change.permit?.(present, transition);
      signal?.throwIfAborted();
      return transition;
    }, change.update);
  } catch (error) {
    if (error instanceof SomethingMissing) return undefined;
    throw error;
  }
}

class SomethingMissing extends Error {}

const transitionOf = (made: Manifest | Transition): Transition =>
  'manifest' in made ? made : { manifest: made, removedNodes: [], removedUpdates: [] };

const manifestOf = (made: Manifest | Transition): Manifest => transitionOf(made).manifest;
