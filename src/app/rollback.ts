import { toText } from '../base/bytes.js';
import { rollback as undo } from '../history/index.js';
import type { RollbackOptions } from '../history/index.js';
import type { Store } from '../store/index.js';

export interface RollbackData {
  readonly update: string;
  readonly containers: readonly {
    readonly container: string;
    readonly kept: boolean;
    readonly aside: readonly string[];
    readonly asidePath: string | null;
  }[];
  readonly staying: readonly string[];
}

export async function rollback(store: Store, name: string, options: RollbackOptions): Promise<RollbackData> {
  const report = await undo(store, name, options);
  return {
    update: report.name,
    staying: report.staying,
    containers: report.containers.map(({ container, kept, aside, asidePath }) => ({
      container,
      kept,
      aside: aside.map(toText),
      asidePath: asidePath === undefined ? null : toText(asidePath),
    })),
  };
}
