import type { BytePath } from '../base/bytes.js';
import { refused, usage } from '../base/errors.js';
import { checkDestination, exportRoot, exportSource, parseConfigEdit, parseDestination } from '../image/index.js';
import type { CopyProgress, Destination, ExportSource } from '../image/index.js';
import type { Manifest } from '../manifest/index.js';
import type { Store } from '../store/index.js';
import { withChange } from '../transaction/index.js';

export type { CopyProgress };

export interface ExportRequest {
  /** A container or a base. */
  readonly name: string;
  /** As it was typed. */
  readonly destination: string;
  /** Makes a path that was typed absolute. */
  readonly absolute: (path: string) => BytePath;
  /** By default layers, but of a plain archive. */
  readonly form?: 'layers' | 'flatten' | undefined;
  /** As they were typed. */
  readonly config: readonly string[];
  /** Seconds since 1970 (SOURCE_DATE_EPOCH), in the place of the times at which layers were made. */
  readonly sourceDateEpoch?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: CopyProgress) => void) | undefined;
}

export interface ExportData {
  readonly exported: string;
  readonly destination: string;
  /** Of the image's manifest as it was written or sent; null: a plain archive. */
  readonly digest: string | null;
  /** Of the image; null: a plain archive. */
  readonly layers: number | null;
  /** Sockets that were left out. */
  readonly sockets: number;
  /** Layers that came from an image, by their diff IDs, and are other layers now. */
  readonly changed: readonly string[];
}

/**
 * Writes a container or a base as an archive or an image. Meanwhile nothing that it reads is changed or removed: a
 * container is held, as by an update, and removing layers below a running export is refused.
 * @throws LaminaError usage; notFound: no such name, no skopeo; refused: the container is mounted, the destination is
 * there; failed: the destination is what it was
 */
export async function exportTo(store: Store, request: ExportRequest): Promise<ExportData> {
  const { name, signal, onProgress } = request;
  const destination = parseDestination(request.destination, request.absolute);
  refuseForArchive(destination, request);
  const options = {
    flatten: request.form === 'flatten',
    edits: request.config.map(parseConfigEdit),
    created: timeOf(request.sourceDateEpoch),
  };
  checkDestination(destination);
  const source = exportSource(await store.read(), name);
  const { base, nodes } = source;
  const begin = {
    kind: 'export',
    details: { base, nodes },
    signal,
    before: async (hold: { add: (manifest: Manifest, containers: string[]) => Promise<void> }) => {
      if (source.kind === 'container') await hold.add(await store.read(), [name]);
    },
  };
  return withChange(store, begin, async ({ transaction, hold }) => {
    const manifest = await store.read();
    hold.check(manifest);
    refuseChanged(source, exportSource(manifest, name));
    const scratch = transaction.paths.layout;
    const done = await exportRoot({ store, manifest, source, destination, options, scratch, signal, onProgress });
    await transaction.discard();
    const { digest, layers, sockets, changed } = done;
    return {
      exported: name,
      destination: request.destination,
      digest,
      layers: digest === null ? null : layers,
      sockets,
      changed,
    };
  });
}

function refuseForArchive({ kind }: Destination, { form, config }: ExportRequest): void {
  if (kind !== 'tar') return;
  const idle = form === 'layers' ? '--layers' : config.length > 0 ? '--config' : undefined;
  if (idle === undefined) return;
  throw usage(`${idle} does nothing here: a plain archive has neither layers nor a configuration`, {
    code: 'IDLE_OPTION',
    hint: `leave ${idle} out, or export an image: oci-archive:FILE`,
  });
}

/** What the transaction says that it reads must be what is read. */
function refuseChanged(before: ExportSource, now: ExportSource): void {
  if (before.kind === now.kind && before.nodes.join() === now.nodes.join()) return;
  throw refused(`${before.kind} '${before.name}' was changed by another command meanwhile`, {
    code: 'STALE',
    hint: 'try again',
  });
}

/** ISO 8601 (https://reproducible-builds.org/specs/source-date-epoch/). */
function timeOf(seconds: string | undefined): string | undefined {
  if (seconds === undefined || seconds === '') return undefined;
  const time = /^\d{1,12}$/.test(seconds) ? new Date(Number(seconds) * 1000) : undefined;
  if (time === undefined || Number.isNaN(time.getTime()))
    throw usage('SOURCE_DATE_EPOCH is not a number of seconds since 1970', {
      hint: 'set it as by date +%s, or unset it',
    });
  return time.toISOString();
}
