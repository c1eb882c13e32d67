import { readdir } from 'node:fs/promises';
import { fromBuffer, toBuffer, toText } from '../../base/bytes.js';
import type { BytePath } from '../../base/bytes.js';
import { must, notFound, refused } from '../../base/errors.js';
import { newId } from '../../base/ids.js';
import { baseOf, checkUpdateName, containersOn, validateName } from '../../manifest/index.js';
import type { Manifest, UpdateId } from '../../manifest/index.js';
import { checkHostView, findTransactionMount, withMountpoint } from '../../mount/index.js';
import type { HostView, Mountpoint } from '../../mount/index.js';
import {
  Published,
  Transaction,
  afterFailure,
  bootId,
  endedNow,
  manualState,
  keepEnded,
  readAttempt,
  readTransaction,
  tryToKeep,
} from '../../store/index.js';
import type { Store } from '../../store/index.js';
import { publishChange, withHold } from '../../transaction/index.js';
import { ManualChange, checkHead } from './manual-change.js';
import type { ManualOptions, ManualResult } from './manual-change.js';
import { freeze, mountNew, reopen, reopenAfter, unmountManual } from './manual-mount.js';
import type { ManualDetails } from './manual-mount.js';

/** Servicing by a person: a mount to work in, then commit or abort. */
export interface ManualServicing extends ManualDetails {
  readonly id: string;
  /** `interrupted`: its mount ended unexpectedly; the work is kept. */
  readonly state: 'open' | 'interrupted';
  /** Undefined: it is not mounted, or in another mount namespace. */
  readonly mountpoint: BytePath | undefined;
}

/** Mounts the servicing view of a base on an empty directory. It stays mounted when this process has ended. */
export async function beginManual(
  store: Store,
  { base, directory, name, ...view }: { base: string; directory: BytePath; name: string } & HostView,
): Promise<ManualServicing> {
  const before = await store.read();
  const { head } = baseOf(before, base);
  validateName('update', name);
  checkUpdateName(before, name);
  if ((await activeManual(store)).some((other) => other.name === name)) {
    throw refused(`an update named '${name}' is already being made`, {
      code: 'UPDATE_EXISTS',
      hint: 'commit or abort it, or give another name with --name',
    });
  }
  checkHostView(view);
  return withMountpoint(directory, async (mountpoint) => beginOn(store, mountpoint, { name, base, head, ...view }));
}

async function beginOn(
  store: Store,
  mountpoint: Mountpoint,
  what: Omit<ManualDetails, 'directory' | 'boot'>,
): Promise<ManualServicing> {
  const details: ManualDetails = { ...what, directory: toText(mountpoint.path), boot: bootId() };
  const transaction = await Transaction.begin(store, 'manual', { ...details });
  try {
    // The last step that can fail: a mount outside of the transaction is not undone with it.
    await mountNew(transaction, details, mountpoint);
  } catch (error) {
    await afterFailure(async () => transaction.discard());
    throw error;
  }
  transaction.leave();
  return { id: transaction.id, state: 'open', mountpoint: mountpoint.path, ...details };
}

/** Manual updates in progress. @param known the manifest, of a caller that holds the store exclusively */
export async function activeManual(store: Store, known?: Manifest): Promise<ManualServicing[]> {
  const manifest = known ?? (await store.read());
  const found: ManualServicing[] = [];
  for (const name of await readdir(toBuffer(store.paths.transactions), 'buffer')) {
    const servicing = await servicingOf(store, manifest, fromBuffer(name));
    if (servicing !== undefined) found.push(servicing);
  }
  return found;
}

async function servicingOf(store: Store, manifest: Manifest, id: string): Promise<ManualServicing | undefined> {
  const paths = store.paths.transaction(id);
  const state = await manualState(paths, manifest);
  const record = await readTransaction(paths);
  if (record === undefined || (state !== 'open' && state !== 'interrupted')) return undefined;
  const details = record.details as unknown as ManualDetails;
  return { id, state, mountpoint: await findTransactionMount(store, id), ...details };
}

async function manualNamed(store: Store, name: string): Promise<ManualServicing> {
  const found = (await activeManual(store)).find((servicing) => servicing.name === name);
  if (found !== undefined) return found;
  throw notFound(`no update named '${name}' is being made`, {
    code: 'NO_SERVICING',
    hint: 'unmounting its directory aborts it; begin again with lamina update begin',
  });
}

/** Discards a manual update. */
export async function abortManual(store: Store, name: string): Promise<void> {
  const found = await manualNamed(store, name);
  const transaction = await Transaction.attach(store, found.id);
  try {
    await unmountManual(transaction, found);
  } catch (error) {
    transaction.leave();
    throw error;
  }
  await keepAborted(transaction, name);
  await transaction.discard();
}

async function keepAborted({ store, paths }: Transaction, name: string): Promise<void> {
  const how = { state: 'discarded', cause: 'abort', reason: 'aborted by lamina update abort' } as const;
  await tryToKeep(`update '${name}'`, async () => {
    const attempt = await readAttempt(paths);
    if (attempt === undefined) return;
    await store.change(async (manifest) => keepEnded(store.paths, manifest, paths, endedNow(attempt, how)));
  });
}

/**
 * Makes a manual update the newest layer, and repeats in the base's containers what the journal recorded in the
 * base. On failure the manual update is mounted again as it was.
 */
export async function commitManual(store: Store, name: string, options: ManualOptions): Promise<ManualResult> {
  const found = await manualNamed(store, name);
  return withHold(store, async (hold) => {
    const manifest = await store.read();
    checkHead(manifest, found);
    await hold.addPresent(manifest, containersOn(manifest, found.base, found.head));
    const transaction = await Transaction.attach(store, found.id);
    const id: UpdateId = newId('u');
    try {
      // What an interrupted commit staged.
      await transaction.reset('base');
      await freeze(transaction, found, id);
    } catch (error) {
      transaction.leave();
      throw error;
    }
    try {
      const context = { transaction, hold, signal: options.signal };
      const change = new ManualChange(context, { id, found, ...options });
      return change.result(must(await publishChange(context, change), 'what was published'));
    } catch (error) {
      if (error instanceof Published) await afterFailure(async () => transaction.discard());
      throw error instanceof Published ? error : await reopenAfter(error, transaction, found);
    }
  });
}

/** The state of an interrupted manual update after recovery: where it is mounted again, or why it is not. */
export interface Reopened {
  readonly name: string;
  readonly directory: string;
  readonly error: unknown;
}

/**
 * Remounts manual updates whose mount ended unexpectedly: the commit was stopped, the driver was killed, or the
 * machine restarted.
 */
export async function reopenInterrupted(store: Store): Promise<Reopened[]> {
  const reopened: Reopened[] = [];
  for (const found of (await activeManual(store)).filter(({ state }) => state === 'interrupted')) {
    const { name, directory } = found;
    const transaction = await Transaction.attach(store, found.id);
    try {
      await reopen(transaction, found);
      reopened.push({ name, directory, error: undefined });
    } catch (error) {
      reopened.push({ name, directory, error });
    } finally {
      transaction.leave();
    }
  }
  return reopened;
}
