import { writeFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { fromBuffer, toBuffer } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { notFound, refused } from '../base/errors.js';
import { newId } from '../base/ids.js';
import { isoNow } from '../base/time.js';
import { TouchedPaths, View } from '../changeset/index.js';
import type { Listing } from '../changeset/index.js';
import { baseOf, checkUpdateName, commitUpdate, containersOn, validateName } from '../manifest/index.js';
import type { EffectCommit, Manifest, Update } from '../manifest/index.js';
import { checkMountpoint, findTransactionMount, isDriven, unmountStack } from '../mount/index.js';
import { NodeReader, Transaction, readTransaction } from '../store/index.js';
import type { Store, TransactionPaths } from '../store/index.js';
import { stageDeltaLayer } from './delta.js';
import type { DeltaLayer, Work } from './delta.js';
import { withHold } from './hold.js';
import { mountRun, readCapture } from './run.js';
import type { Capture } from './run.js';
import { pinContainer, readStorages } from './service.js';

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
    const reader = new NodeReader(store, before);
    const layers = reader.layers(head);
    await mountRun(
      { transaction, container: undefined, lowers: reader.mountable(layers), root: await reader.rootEntry(layers) },
      mountpoint,
    );
    writeFileSync(toBuffer(transaction.paths.update.procedure), '', { mode: 0o600 });
  } catch (error) {
    await transaction.discard();
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
  await unmountStack(found.mountpoint, workOf(paths));
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

/** What a commit by hand came to. */
export interface ManualResult {
  readonly id: string;
  readonly update: Update;
  /** Containers whose own storage holds what the new layer changes: those paths keep hiding the layer's. */
  readonly hiding: ReadonlyMap<string, readonly BytePath[]>;
}

/** Makes what was done by hand the newest layer, and pins the base's containers to it. Nothing of theirs changes. */
export async function commitManual(store: Store, name: string, signal: AbortSignal): Promise<ManualResult> {
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
      return await publishManual({ manifest, transaction, found, containers, signal });
    } catch (error) {
      await transaction.discard();
      throw error;
    }
  });
}

async function publishManual({
  manifest,
  transaction,
  found,
  containers,
  signal,
}: {
  manifest: Manifest;
  transaction: Transaction;
  found: ManualServicing;
  containers: readonly string[];
  signal: AbortSignal;
}): Promise<ManualResult> {
  const reader = new NodeReader(transaction.store, manifest);
  const work: Work = { transaction, reader, layers: reader.layers(found.head), signal };
  const delta = await stageDeltaLayer(work, await captureOf(transaction));
  const { effects, hiding } = await pinAll(work, manifest, containers, delta);
  const id = newId('u');
  const report = {
    update: found.name,
    base: found.base,
    layer: delta.sealed,
    effects,
    hiding: Object.fromEntries(hiding),
  };
  writeFileSync(toBuffer(transaction.paths.update.report), `${JSON.stringify(report, null, 2)}\n`);
  const commit = {
    id,
    name: found.name,
    base: found.base,
    version: null,
    description: null,
    parent: found.head,
    created: isoNow(),
    layer: delta.sealed,
    effects,
  };
  const published = await transaction.publish(
    (present) => commitUpdate(present, { ...commit, procedure: { kind: 'manual', hash: '0'.repeat(16) } }),
    id,
  );
  const update = published.updates[id];
  if (update === undefined) throw refused(`update '${found.name}' was not published`);
  return { id, update, hiding };
}

async function captureOf({ paths }: Transaction): Promise<Capture> {
  const { mountpoint, directory } = paths.run('base');
  const upper = `${directory}/upper` as BytePath;
  return readCapture({ mountpoint, upper, work: workOf(paths), kept: paths.update.run() }, undefined);
}

async function pinAll(
  work: Work,
  manifest: Manifest,
  containers: readonly string[],
  delta: DeltaLayer,
): Promise<{ effects: EffectCommit[]; hiding: Map<string, readonly BytePath[]> }> {
  const layers = await Promise.all(work.layers.map((id) => work.reader.listing(id)));
  const touched = new TouchedPaths().add(delta.listing, new View(layers));
  const effects: EffectCommit[] = [];
  const hiding = new Map<string, readonly BytePath[]>();
  await work.transaction.sync();
  for (const container of containers) {
    const { listings } = await readStorages(work, manifest, container);
    const met = meetings(touched, listings, layers);
    if (met.length > 0) hiding.set(container, met);
    effects.push(await pinContainer(work, manifest, container));
  }
  return { effects, hiding };
}

/** Paths of a container's storages, newest first, that meet touched ones. */
function meetings(touched: TouchedPaths, storages: readonly Listing[], layers: readonly Listing[]): BytePath[] {
  const met = storages.flatMap((listing, i) =>
    touched.meeting(listing, new View([...storages.slice(i + 1), ...layers])),
  );
  return [...new Set(met)].sort();
}
