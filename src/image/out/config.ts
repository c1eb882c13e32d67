import { isRecord } from '../../base/json.js';
import type { ConfigEdit, RunConfig } from '../config-edits.js';

/** An image's configuration, with all fields that it came with (OCI image specification, config.md). */
export type ImageConfig = Readonly<Record<string, unknown>>;

/** A layer of the image that is made. */
export interface HistoryLayer {
  readonly diffId: string;
  /** Of a layer that did not come from the image below. */
  readonly added:
    { readonly created: string; readonly createdBy: string; readonly comment: string | undefined } | undefined;
}

export interface ConfigParts {
  /** Of the image that the lowest layers came from; undefined: there is none. */
  readonly from: ImageConfig | undefined;
  /** Lowest first. */
  readonly layers: readonly HistoryLayer[];
  readonly edits: readonly ConfigEdit[];
  /** ISO 8601. */
  readonly created: string;
  readonly platform: { readonly os: string; readonly architecture: string };
}

interface HistoryEntry {
  readonly created?: unknown;
  readonly created_by?: unknown;
  readonly comment?: unknown;
  readonly empty_layer?: unknown;
}

/** Whether the image is what it was: its configuration then stays as it is, byte for byte. */
export const isUnchanged = ({ from, layers, edits }: ConfigParts): boolean =>
  from !== undefined &&
  edits.length === 0 &&
  layers.every(({ added }) => added === undefined) &&
  JSON.stringify(diffIdsOf(from)) === JSON.stringify(layers.map(({ diffId }) => diffId));

/** The configuration of the image that is made. */
export function makeConfig(parts: ConfigParts): ImageConfig {
  const { from, layers, edits, created, platform } = parts;
  const before = isRecord(from?.['config']) ? from['config'] : {};
  const config = edits.reduce<RunConfig>((each, edit) => edit(each), before);
  const { created: _, config: __, rootfs: ___, history: ____, os, architecture, ...others } = from ?? {};
  return {
    created,
    os: os || platform.os,
    architecture: architecture || platform.architecture,
    ...others,
    config,
    rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
    history: historyOf(parts),
  };
}

/** As many entries with a layer as there are layers: Docker refuses an image where they differ. */
function historyOf({ from, layers }: ConfigParts): HistoryEntry[] {
  const kept = layers.filter(({ added }) => added === undefined).length;
  const before = Array.isArray(from?.['history']) ? from['history'].filter(isRecord) : [];
  const history: HistoryEntry[] = [];
  let withLayer = 0;
  for (const entry of before) {
    const isEmpty = entry['empty_layer'] === true;
    if (isEmpty || withLayer < kept) history.push(entry);
    if (!isEmpty) withLayer += 1;
  }
  for (; withLayer < kept; withLayer++) history.push({ comment: 'a layer without an entry of its own' });
  for (const { added } of layers) {
    if (added === undefined) continue;
    const { created, createdBy, comment } = added;
    history.push({ created, created_by: createdBy, ...(comment === undefined ? {} : { comment }) });
  }
  return history;
}

function diffIdsOf(config: ImageConfig): unknown {
  return isRecord(config['rootfs']) ? config['rootfs']['diff_ids'] : undefined;
}
