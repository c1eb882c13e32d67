import { toText } from '../base/bytes.js';
import type { ContentDiff } from '../changeset/index.js';
import { baseOf, containersOn } from '../manifest/index.js';
import type { Outcome } from '../manifest/index.js';
import { checkProcedure } from '../package/index.js';
import { runningUnits, whileStopped } from '../runtime/index.js';
import type { StartFault } from '../runtime/index.js';
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
  /** Only with --restart: the units that ran. */
  readonly restarted?: readonly RestartedData[];
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

/** A unit that was stopped for an update, and why it did not start again; null: it did. */
export interface RestartedData {
  readonly container: string;
  readonly unit: string;
  readonly problem: string | null;
}

/**
 * Applies an update while the units of the containers that it services are stopped, and starts them again: with the
 * update, or where it fails as they were.
 * @param onFault called for a unit that does not start
 */
export async function applyRestarting(
  store: Store,
  request: ApplyRequest,
  onFault: (fault: StartFault) => void,
): Promise<ApplyData> {
  const manifest = await store.read();
  const { head } = baseOf(manifest, request.base);
  await checkProcedure(request.procedure, request.procedureAt);
  const containers = request.containers ?? containersOn(manifest, request.base, head);
  const units = await runningUnits(toText(store.paths.root), containers);
  const faults = new Map<string, string>();
  const noteFault = (fault: StartFault) => {
    faults.set(fault.unit, fault.message);
    onFault(fault);
  };
  const options = { onFault: noteFault, signal: request.signal };
  const data = await whileStopped(units, options, async () => updateApply(store, request));
  return { ...data, restarted: units.map((each) => ({ ...each, problem: faults.get(each.unit) ?? null })) };
}

export async function updateApply(store: Store, request: ApplyRequest): Promise<ApplyData> {
  const { id, update, preview, determinism } = await applyUpdate(store, request);
  const checked = determinism === undefined ? {} : { determinism: determinismData(determinism) };
  if (preview !== undefined) return { update: null, preview: previewData(request.base, preview), ...checked };
  if (id === undefined || update === undefined) return { update: null, ...checked };
  return { update: updateData(await store.read(), id, update), ...checked };
}
