import type { BytePath } from '../base/bytes.js';
import { refused } from '../base/errors.js';
import { exportArchive } from '../archive/index.js';
import { excerptOf } from '../manifest/index.js';
import type { Manifest } from '../manifest/index.js';
import type { Store } from '../store/index.js';
import { withChange } from '../transaction/index.js';
import type { ContainerHold } from '../transaction/index.js';
import { displacedIn } from './displaced.js';

export interface StoreExportRequest {
  /** Containers and bases; one or more. */
  readonly names: readonly string[];
  /** As it was typed. */
  readonly destination: string;
  readonly file: BytePath;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: { step: 'write'; bytes: number; total: number }) => void) | undefined;
}

export interface StoreExportData {
  readonly destination: string;
  readonly bases: readonly string[];
  readonly containers: readonly string[];
  readonly updates: readonly string[];
  readonly nodes: number;
  /** How often rollbacks displaced something in these containers: that stays behind. */
  readonly displaced: number;
}

/**
 * Writes containers and bases, with their whole history, as one file. Meanwhile nothing that it reads is changed or
 * removed.
 * @throws LaminaError notFound; refused: a container is mounted, the file is there; failed: it is as it was
 */
export async function exportStore(store: Store, request: StoreExportRequest): Promise<StoreExportData> {
  const { names, destination, file, signal, onProgress } = request;
  const before = excerptOf(await store.read(), names);
  const held = Object.keys(before.containers);
  const begin = {
    kind: 'export',
    details: { base: Object.keys(before.bases)[0], nodes: Object.keys(before.nodes) },
    signal,
    before: async (hold: ContainerHold) => hold.add(await store.read(), held),
  };
  return withChange(store, begin, async ({ transaction, hold }) => {
    const present = await store.read();
    hold.check(present);
    const manifest = excerptOf(present, names);
    refuseChanged(before, manifest);
    const progress = (bytes: number, total: number) => onProgress?.({ step: 'write', bytes, total });
    await exportArchive({ store, transaction, manifest, file, signal, onProgress: progress });
    await transaction.discard();
    return {
      destination,
      bases: Object.keys(manifest.bases),
      containers: held,
      updates: Object.values(manifest.updates).map(({ name }) => name),
      nodes: Object.keys(manifest.nodes).length,
      displaced: held.reduce((sum, name) => sum + displacedIn(store, present, name).length, 0),
    };
  });
}

/** What the transaction says that it reads must be what is read. */
function refuseChanged(before: Manifest, now: Manifest): void {
  const nodes = (manifest: Manifest) => Object.keys(manifest.nodes).sort().join();
  if (nodes(before) !== nodes(now))
    throw refused('the store was changed by another command meanwhile', { code: 'STALE', hint: 'try again' });
}
