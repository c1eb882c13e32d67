import { toText } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { rollback as undo } from '../history/index.js';
import type { RollbackOptions } from '../history/index.js';
import { abortManual, applyUpdate, beginManual, commitManual, readProcedure } from '../servicing/index.js';
import type { ApplyRequest, Preview } from '../servicing/index.js';
import type { Outcome } from '../manifest/index.js';
import type { Store } from '../store/index.js';
import { changeData, updateData } from './data.js';
import type { ChangeData, UpdateData } from './data.js';

export interface ApplyData {
  /** Null where the procedure changed nothing, anywhere. */
  readonly update: UpdateData | null;
  /** Of a dry run only: what the update would change. */
  readonly preview?: PreviewData;
}

export interface PreviewData {
  readonly base: { readonly name: string; readonly bytes: number; readonly changes: readonly ChangeData[] };
  readonly containers: readonly {
    readonly container: string;
    readonly outcome: Outcome;
    readonly entries: number;
    readonly bytes: number;
    readonly changes: readonly ChangeData[];
  }[];
}

function previewData(base: string, { base: changes, bytes, containers }: Preview): PreviewData {
  return {
    base: { name: base, bytes, changes: changes.map(changeData) },
    containers: containers.map((each) => ({ ...each, changes: each.changes.map(changeData) })),
  };
}

export async function updateApply(
  store: Store,
  request: Omit<ApplyRequest, 'procedure'> & { readonly procedure: BytePath },
): Promise<ApplyData> {
  const { id, update, preview } = await applyUpdate(store, {
    ...request,
    procedure: await readProcedure(request.procedure),
  });
  if (preview !== undefined) return { update: null, preview: previewData(request.base, preview) };
  if (id === undefined || update === undefined) return { update: null };
  return { update: updateData(await store.read(), id, update) };
}

export interface BeginData {
  readonly name: string;
  readonly base: string;
  readonly mountpoint: string;
}

export async function updateBegin(store: Store, base: string, directory: BytePath, name: string): Promise<BeginData> {
  await beginManual(store, { base, directory, name });
  return { name, base, mountpoint: toText(directory) };
}

export interface CommitData {
  readonly update: UpdateData;
  /** Containers whose own storage hides what the new layer changes. */
  readonly hiding: readonly { readonly container: string; readonly paths: readonly string[] }[];
}

export async function updateCommit(store: Store, name: string, signal: AbortSignal): Promise<CommitData> {
  const { id, update, hiding } = await commitManual(store, name, signal);
  return {
    update: updateData(await store.read(), id, update),
    hiding: [...hiding].map(([container, paths]) => ({ container, paths: paths.map(toText) })),
  };
}

export async function updateAbort(store: Store, name: string): Promise<void> {
  await abortManual(store, name);
}

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
