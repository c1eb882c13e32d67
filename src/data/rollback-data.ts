import { toText } from '../base/bytes.js';
import type { RollbackReport } from '../history/index.js';
import { rootPath } from './manifest-data.js';

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

export function rollbackData(report: RollbackReport, dryRun: boolean): RollbackData {
  return {
    dryRun,
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
