import type { BytePath } from '../base/bytes.js';
import { must } from '../base/errors.js';
import { ArchiveImport, ArchiveReader, checkArrival } from '../archive/index.js';
import { baseData, containerData } from '../data/index.js';
import type { BaseData, ContainerData } from '../data/index.js';
import type { Renames } from '../manifest/index.js';
import type { Store } from '../store/index.js';
import { publishChange, withChange } from '../transaction/index.js';

export interface StoreImportRequest {
  readonly file: BytePath;
  readonly renames: Renames;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: { step: 'read'; bytes: number; total: number }) => void) | undefined;
}

export interface StoreImportData {
  readonly bases: readonly BaseData[];
  readonly containers: readonly ContainerData[];
  readonly updates: readonly string[];
  /** Nodes that were in the store already. */
  readonly shared: number;
}

/**
 * Adds what an archive of a store holds to a store, as one change.
 * @throws LaminaError notFound: there is no such file; usage: a new name is none; refused: a name is taken, the archive
 * is of a newer version, or of another kind of store; failed: it is corrupt, or cannot be written
 */
export async function importStore(store: Store, request: StoreImportRequest): Promise<StoreImportData> {
  const { file, renames, signal, onProgress } = request;
  const progress = (bytes: number, total: number) => onProgress?.({ step: 'read', bytes, total });
  const reader = ArchiveReader.open(file, { signal, onProgress: progress });
  try {
    const archive = { reader, description: await reader.description(), renames };
    const present = await store.read();
    const arriving = checkArrival(present, archive);
    const published = await withChange(store, { kind: 'import', signal }, async (context) =>
      publishChange(context, new ArchiveImport(context, archive, arriving)),
    );
    const manifest = must(published, 'what was published');
    const nodes = Object.keys(manifest.nodes).length - Object.keys(present.nodes).length;
    return {
      bases: Object.keys(arriving.bases).map((name) => baseData(manifest, name)),
      containers: Object.keys(arriving.containers).map((name) => containerData(manifest, name, [])),
      updates: Object.values(arriving.updates).map(({ name }) => name),
      shared: Math.max(0, Object.keys(arriving.nodes).length - nodes),
    };
  } finally {
    await reader.close();
  }
}
