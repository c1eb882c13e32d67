import { readdir } from 'node:fs/promises';
import { fromBuffer, toBuffer } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { notFound, refused } from '../base/errors.js';
import { baseOf, checkUpdateName, containersOn, validateName } from '../manifest/index.js';
import { checkMountpoint, findTransactionMount, isDriven, unmountOwn } from '../mount/index.js';
import { stageFile } from '../platform/durable.js';
import { NodeReader, Transaction, afterFailure, readTransaction } from '../store/index.js';
import type { Store, TransactionPaths } from '../store/index.js';
import { withHold } from './hold.js';
import { publishManual } from './manual-commit.js';
import type { ManualResult } from './manual-commit.js';
import { mountRun } from './run.js';

/** Servicing by a person: a mount to work in, then commit or abort. */
export interface ManualServicing {
  readonly id: string;
  readonly name: string;
  readonly base: string;
  readonly head: string;
  /** Undefined once it was unmounted: that aborted it. */
  readonly mountpoint: BytePath | undefined;
}

/** Mounts the servicing view of a base on an empty directory. It goes on when this process has ended. */
export async function beginManual(
  store: Store,
  { base, directory, name }: { base: string; directory: BytePath; name: string },
): Promise<ManualServicing> {
  const before = await store.read();
  const { head } = baseOf(before, base);
  validateName('update', name);
  checkUpdateName(before, name);
  if ((await activeManual(store)).some((other) => other.name === name)) {
    throw refused(`an update named '${name}' is being made already`, {
      code: 'UPDATE_EXISTS',
      hint: 'commit or abort it, or give another name with --name',
    });
  }
  const mountpoint = await checkMountpoint(directory);
  const transaction = await Transaction.begin(store, 'manual', { name, base, head });
  try {
    stageFile(transaction.paths.update.procedure, '');
    const reader = new NodeReader(store, before);
    const layers = reader.layers(head);
    // The last that can fail: what is mounted outside of the transaction is not taken back with it.
    await mountRun(
      { transaction, container: undefined, lowers: reader.mountable(layers), root: await reader.rootEntry(layers) },
      mountpoint,
    );
  } catch (error) {
    await afterFailure(async () => transaction.discard());
    throw error;
  }
  transaction.lock.release();
  return { id: transaction.id, name, base, head, mountpoint };
}

/** Servicings by hand that are under way. */
export async function activeManual(store: Store): Promise<ManualServicing[]> {
  const found: ManualServicing[] = [];
  for (const name of await readdir(toBuffer(store.paths.transactions), 'buffer')) {
    const id = fromBuffer(name);
    const paths = store.paths.transaction(id);
    const record = await readTransaction(paths);
    if (record?.kind !== 'manual' || !isDriven(workOf(paths))) continue;
    const { name: update, base, head } = record.details as { name: string; base: string; head: string };
    found.push({ id, name: update, base, head, mountpoint: await findTransactionMount(store, id) });
  }
  return found;
}

const workOf = (paths: TransactionPaths): BytePath => `${paths.run('base').directory}/work` as BytePath;

async function manualNamed(store: Store, name: string): Promise<ManualServicing> {
  const found = (await activeManual(store)).find((servicing) => servicing.name === name);
  if (found !== undefined) return found;
  throw notFound(`no update named '${name}' is being made`, {
    code: 'NO_SERVICING',
    hint: 'unmounting its directory aborts it; begin again with lamina update begin',
  });
}

async function unmountManual(found: ManualServicing, paths: TransactionPaths): Promise<void> {
  if (found.mountpoint === undefined) {
    throw refused(`update '${found.name}' is mounted in another mount namespace`, {
      code: 'OTHER_NAMESPACE',
      hint: 'run this where it was begun',
    });
  }
  await unmountOwn(found.mountpoint, workOf(paths));
}

/** Discards what was done by hand. */
export async function abortManual(store: Store, name: string): Promise<void> {
  const found = await manualNamed(store, name);
  const transaction = await Transaction.attach(store, found.id);
  try {
    await unmountManual(found, transaction.paths);
  } catch (error) {
    transaction.lock.release();
    throw error;
  }
  await transaction.discard();
}

/**
 * Makes what was done by hand the newest layer, and does in the base's containers what the journal says was done in the base.
 * @param options.replay false: containers are only pinned to the layer; what their own storages hold keeps hiding it
 */
export async function commitManual(
  store: Store,
  name: string,
  options: { readonly replay: boolean; readonly signal: AbortSignal },
): Promise<ManualResult> {
  const found = await manualNamed(store, name);
  return withHold(store, async (hold) => {
    const manifest = await store.read();
    if (baseOf(manifest, found.base).head !== found.head) {
      throw refused(`base '${found.base}' has a newer layer than the one that update '${name}' was begun on`, {
        code: 'STALE',
        hint: `abort it and begin again: lamina update abort ${name}`,
      });
    }
    const containers = containersOn(manifest, found.head);
    await hold.add(manifest, containers);
    const transaction = await Transaction.attach(store, found.id);
    try {
      await unmountManual(found, transaction.paths);
    } catch (error) {
      transaction.lock.release();
      throw error;
    }
    try {
      return await publishManual({ manifest, transaction, found, containers, ...options });
    } catch (error) {
      await afterFailure(async () => transaction.discard());
      throw error;
    }
  });
}
