import type { ContentDiff } from '../changeset/index.js';
import type { Outcome } from '../manifest/index.js';
import type { Store } from '../store/index.js';
import { applyUpdate } from '../update/index.js';
import type { ApplyRequest, DetailedChange, Determinism, Preview, Progress } from '../update/index.js';
import { changeData, updateData } from '../data/index.js';
import type { ChangeData, UpdateData } from '../data/index.js';

export type { ApplyRequest, Progress };

export interface ApplyData {
  /** Null where the procedure changed nothing, anywhere. */
  readonly update: UpdateData | null;
  /** Of a dry run only: what the update would change. */
  readonly preview?: PreviewData;
  /** Only if the base was serviced twice. */
  readonly determinism?: Determinism;
}

export interface PreviewData {
  readonly base: { readonly name: string; readonly bytes: number; readonly changes: readonly DetailedChangeData[] };
  readonly containers: readonly {
    readonly container: string;
    readonly outcome: Outcome;
    readonly entries: number;
    readonly bytes: number;
    readonly changes: readonly DetailedChangeData[];
  }[];
}

/**
 * A change with what differs: attributes for people, and the content of a file, null where it does not change or is too
 * large to show.
 */
export interface DetailedChangeData extends ChangeData {
  readonly attributes: readonly string[];
  readonly content: ContentDiff | null;
}

export function detailedData(change: DetailedChange): DetailedChangeData {
  return { ...changeData(change), attributes: change.attributes, content: change.content ?? null };
}

function previewData(base: string, { base: changes, bytes, containers }: Preview): PreviewData {
  return {
    base: { name: base, bytes, changes: changes.map(detailedData) },
    containers: containers.map((each) => ({ ...each, changes: each.changes.map(detailedData) })),
  };
}

function determinismData({ differs, ephemeral }: Determinism): Determinism {
  return { differs: differs.map((each) => ({ ...each, path: `/${each.path}` })), ephemeral };
}

export async function updateApply(store: Store, request: ApplyRequest): Promise<ApplyData> {
  const { id, update, preview, determinism } = await applyUpdate(store, request);
  const checked = determinism === undefined ? {} : { determinism: determinismData(determinism) };
  if (preview !== undefined) return { update: null, preview: previewData(request.base, preview), ...checked };
  if (id === undefined || update === undefined) return { update: null, ...checked };
  return { update: updateData(await store.read(), id, update), ...checked };
}
