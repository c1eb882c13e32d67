import { readSettings, readStored } from '../package/index.js';
import type { Store } from '../store/index.js';
import type { ApplyRequest } from '../update/index.js';
import { keptOf, pastToRedo, refuseWithout } from './ended-updates.js';

/** The part of a request to apply an update that its record holds. */
export type Redo = Pick<
  ApplyRequest,
  'base' | 'procedure' | 'preferredName' | 'network' | 'timeoutMs' | 'alwaysRun' | 'conflict' | 'maxBytes'
>;

/**
 * How an update that ended is applied again: its stored procedure, and the options with which it was applied.
 * @throws LaminaError notFound; refused: it is in force, or its procedure is no longer stored; damaged: the stored copy
 * differs from what was applied
 */
export async function redoOf(store: Store, which: string): Promise<Redo> {
  const manifest = await store.read();
  const past = pastToRedo(store, manifest, which);
  refuseWithout(store, manifest, past);
  const { procedure, settings: kept } = keptOf(store, manifest, past);
  const { base, name } = past;
  const hint = `apply it from its source: lamina update apply ${base} PROCEDURE --name ${name}`;
  await readStored(procedure, past, hint);
  const { network, timeoutSeconds, alwaysRun, conflict, maxBytes } = await readSettings(kept);
  const merges = past.procedure.kind === 'layer' || past.procedure.kind === 'image';
  return {
    base,
    procedure,
    preferredName: name,
    network,
    timeoutMs: timeoutSeconds === null ? undefined : timeoutSeconds * 1000,
    alwaysRun,
    conflict: merges ? conflict : undefined,
    // An archive is stored unpacked.
    maxBytes: merges ? (maxBytes ?? undefined) : undefined,
  };
}
