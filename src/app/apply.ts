import { failed, messageOf } from '../base/errors.js';
import type { ContentDiff } from '../changeset/index.js';
import { rollback } from '../history/index.js';
import type { Outcome } from '../manifest/index.js';
import { applyUpdate } from '../servicing/index.js';
import type {
  ApplyRequest,
  ApplyResult,
  DetailedChange,
  Determinism,
  HealthFailure,
  Preview,
} from '../servicing/index.js';
import type { Store } from '../store/index.js';
import { changeData, updateData } from './data.js';
import type { ChangeData, UpdateData } from './data.js';

export type { ApplyRequest };

export interface ApplyData {
  /** Null where the procedure changed nothing, anywhere. */
  readonly update: UpdateData | null;
  /** Of a dry run only: what the update would change. */
  readonly preview?: PreviewData;
  /** Only where the base was serviced twice. */
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

/** A change with what differs: attributes for people, and the content of a file, null where it does not change or there is too much of it. */
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
  const { id, update, preview, determinism } = await applyChecked(store, request);
  const told = determinism === undefined ? {} : { determinism: determinismData(determinism) };
  if (preview !== undefined) return { update: null, preview: previewData(request.base, preview), ...told };
  if (id === undefined || update === undefined) return { update: null, ...told };
  return { update: updateData(await store.read(), id, update), ...told };
}

/** Applies an update, and takes it back where a container is not well after it. @throws LaminaError as applyUpdate; failed: a container is not well */
export async function applyChecked(store: Store, request: ApplyRequest): Promise<ApplyResult> {
  const result = await applyUpdate(store, request);
  const { update, unhealthy = [] } = result;
  return update === undefined || unhealthy.length === 0 ? result : undo(store, update.name, unhealthy);
}

/** @throws LaminaError failed, always: the update is rolled back, or cannot be */
async function undo(store: Store, name: string, failures: readonly HealthFailure[]): Promise<never> {
  const what = unhealthyText(name, failures);
  try {
    const told = failures.map(({ container, failure }) => [container, failure] as const);
    await rollback(store, name, { because: { reason: what, failures: new Map(told) } });
  } catch (error) {
    throw failed(`${what}\nand the update could not be rolled back: ${messageOf(error)}`, {
      code: 'UNHEALTHY',
      hint: `fix what stands in the way, then: lamina rollback ${name}`,
      cause: error,
    });
  }
  throw failed(what, {
    code: 'UNHEALTHY',
    hint: `the update was rolled back, in all containers; lamina update show ${name} tells it again`,
  });
}

function unhealthyText(name: string, failures: readonly HealthFailure[]): string {
  const told = failures.map(({ container, failure, lines }) => {
    const said = lines === '' ? 'it printed nothing' : `its last lines:\n${lines.replace(/^/gm, '  ')}`;
    return `container '${container}' is not well after update '${name}': the health check failed: ${failure}; ${said}`;
  });
  const names = failures.map(({ container }) => container).join(', ');
  const all =
    failures.length > 1 ? [`${failures.length} containers are not well after update '${name}': ${names}`] : [];
  return [...all, ...told].join('\n');
}
