import { toText } from '../base/bytes.js';
import { restore, rollback as undo } from '../history/index.js';
import type { RestoreRequest, Restored, RollbackOptions } from '../history/index.js';
import type { Store } from '../store/index.js';
import { rootPath } from './data.js';

export interface RollbackData {
  readonly dryRun: boolean;
  readonly update: string;
  /** All that were rolled back, newest first. */
  readonly updates: readonly string[];
  readonly containers: readonly {
    readonly update: string;
    readonly container: string;
    readonly kept: boolean;
    readonly merged: readonly string[];
    readonly displaced: readonly string[];
    readonly displacedPath: string | null;
  }[];
  readonly staying: readonly string[];
}

export async function rollback(store: Store, name: string, options: RollbackOptions): Promise<RollbackData> {
  const report = await undo(store, name, options);
  return {
    dryRun: options.dryRun === true,
    update: report.name,
    updates: report.updates,
    staying: report.staying,
    containers: report.containers.map(({ update, container, kept, merged, displaced, displacedPath }) => ({
      update,
      container,
      kept,
      merged: merged.map(rootPath),
      displaced: displaced.map(rootPath),
      displacedPath: displacedPath === undefined ? null : toText(displacedPath),
    })),
  };
}

export type { Restored };

/** Restores what a rollback displaced to its container, or copies it elsewhere. */
export async function rollbackRestore(store: Store, request: RestoreRequest): Promise<Restored> {
  const { path, replaced, ...more } = await restore(store, request);
  return { ...more, path: `/${path}`, replaced: replaced.map((each) => `/${each}`) };
}
