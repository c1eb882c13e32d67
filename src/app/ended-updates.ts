import { basename, display, fromText } from '../base/bytes.js';
import { notFound, refused } from '../base/errors.js';
import { own } from '../manifest/index.js';
import type { Manifest } from '../manifest/index.js';
import { isThereSync } from '../platform/walk.js';
import { pastUpdates } from '../store/index.js';
import type { PastUpdate, Store } from '../store/index.js';

/** An update that failed, was rolled back or was discarded. */
export interface PastData {
  readonly id: string;
  readonly name: string;
  readonly base: string;
  readonly state: PastUpdate['state'];
  readonly cause: PastUpdate['cause'];
  readonly reason: string;
  readonly version: string | null;
  readonly description: string | null;
  readonly procedure: PastUpdate['procedure']['kind'];
  /** Whether `update redo` can apply it again: what that needs is kept. */
  readonly redo: boolean;
  /** When it was published; if it never was, when it was begun. */
  readonly created: string;
  readonly ended: string;
  readonly effects: PastUpdate['containers'];
}

/** Newest end first. */
export function pastList(store: Store, manifest: Manifest): PastData[] {
  return pastUpdates(store.paths, manifest).map((past) => pastData(store, manifest, past));
}

export function pastData(store: Store, manifest: Manifest, past: PastUpdate): PastData {
  const { update: id, name, base, state, cause, reason, to, description, created, ended, containers } = past;
  const { kind } = past.procedure;
  const redo = kind !== 'manual' && isThereSync(keptOf(store, manifest, past).procedure);
  const common = { id, name, base, state, cause, reason, version: to, description, procedure: kind, redo };
  return { ...common, created, ended, effects: containers };
}

/** The directory of its record; while containers stand on its layer, the directory of the update itself. */
export function keptOf({ paths }: Store, manifest: Manifest, { update }: PastUpdate) {
  return own(manifest.updates, update) === undefined ? paths.past(update) : paths.update(update);
}

/** By id, or the newest of a name; undefined: there is none. */
export function findPast(store: Store, manifest: Manifest, which: string): PastUpdate | undefined {
  const pasts = pastUpdates(store.paths, manifest);
  return pasts.find(({ update }) => update === which) ?? pasts.find(({ name }) => name === which);
}

/** The update that `update redo` is to apply again. @throws LaminaError notFound; refused: it is in force */
export function pastToRedo(store: Store, manifest: Manifest, which: string): PastUpdate {
  const found = findPast(store, manifest, which);
  if (found !== undefined) return found;
  const shown = display(fromText(which));
  const standing = Object.entries(manifest.updates).find(([id, { name }]) => name === which || id === which);
  if (standing === undefined) {
    throw notFound(`no update on record is named '${shown}'`, {
      code: 'NO_UPDATE',
      hint: 'see lamina update list --all',
    });
  }
  const [, { name, base }] = standing;
  throw refused(`update '${name}' of base '${base}' was not rolled back`, {
    code: 'NOT_ENDED',
    hint: `roll it back first: lamina rollback ${name}; or apply its procedure once more: lamina update apply ${base} PROCEDURE --again`,
  });
}

/** @throws LaminaError refused: its procedure is no longer stored */
export function refuseWithout(store: Store, manifest: Manifest, past: PastUpdate): void {
  const { name, base, procedure } = past;
  if (procedure.kind === 'manual') {
    throw refused(`update '${name}' was made by hand, so it has no procedure to apply again`, {
      code: 'NO_REDO',
      hint: `make it again: lamina update begin ${base} DIR --name ${name}`,
    });
  }
  const { procedure: kept, directory } = keptOf(store, manifest, past);
  if (isThereSync(kept)) return;
  throw refused(`the procedure of update '${name}' (${basename(directory)}) is no longer kept`, {
    code: 'NO_REDO',
    hint: `apply it from its source: lamina update apply ${base} PROCEDURE --name ${name}`,
  });
}
