import type { Base, Manifest } from '../../manifest/index.js';
import { readImageConfig } from '../../store/index.js';
import type { Store } from '../../store/index.js';
import { readTarRecord, remakeTar } from '../tar-record/reader.js';
import type { ConfigEdit } from '../config-edits.js';
import type { ImageToMake, LayerToMake } from './image.js';
import { createdOf, planLayers } from './source.js';
import type { ExportSource, PlannedLayer } from './source.js';
import { ExportStack } from './stack.js';

export interface ImageOptions {
  /** One layer of all that is shown. */
  readonly flatten: boolean;
  readonly edits: readonly ConfigEdit[];
  /** ISO 8601, in the place of the times of nodes. */
  readonly created: string | undefined;
}

export interface PreparedImage {
  readonly image: ImageToMake;
  readonly stack: ExportStack;
  /** Of content, together. */
  readonly bytes: number;
  /** Diff IDs of layers of an image whose tars cannot be made again: they become other layers. */
  readonly changed: readonly string[];
}

interface Preparing {
  readonly store: Store;
  readonly manifest: Manifest;
  readonly source: ExportSource;
  readonly options: ImageOptions;
}

/** What is exported, as an image that can be made. @throws LaminaError damaged */
export async function prepareImage({ store, manifest, source, options }: Preparing): Promise<PreparedImage> {
  const stack = new ExportStack(store, manifest, source.nodes);
  const created = options.created ?? createdOf(manifest, source.nodes);
  const { image: from } = source;
  const planned = options.flatten ? [] : await effective(planLayers(manifest, source), stack);
  const changed: string[] = [];
  const layers = options.flatten
    ? [flatLayer(source, stack, created)]
    : planned.map(({ layer, at }) => {
        const made = layerToMake(store, stack, { layer, at, created: options.created });
        if (layer.image !== null && !made.isRemade) changed.push(layer.image.diffId);
        return made;
      });
  const sizes = await Promise.all(source.nodes.map(async (_, at) => stack.bytes(at)));
  const isUpon = layers.some(({ added }) => added !== undefined);
  const image: ImageToMake = {
    layers,
    config: {
      from: from === null ? undefined : readImageConfig(store.paths, from.configDigest),
      edits: options.edits,
      created,
      platform: { os: 'linux', architecture: architecture() },
    },
    annotations: isUpon && !options.flatten ? baseAnnotations(source.below) : {},
  };
  return { image, stack, changed, bytes: sizes.reduce((sum, size) => sum + size, 0) };
}

/** Without the layers that change nothing; each with its place in the stack. */
async function effective(planned: readonly PlannedLayer[], stack: ExportStack) {
  const layers = planned.map((layer, fromBelow) => ({ layer, at: planned.length - 1 - fromBelow }));
  const idle = await Promise.all(
    layers.map(async ({ layer, at }) => layer.image === null && (await stack.isWithoutEffect(at))),
  );
  return layers.filter((_, index) => idle[index] !== true);
}

function layerToMake(
  store: Store,
  stack: ExportStack,
  { layer, at, created }: { layer: PlannedLayer; at: number; created: string | undefined },
): LayerToMake {
  const { image, createdBy, comment } = layer;
  const added = { created: created ?? layer.created, createdBy, comment };
  if (image === null) return { image, added, isRemade: false, pieces: () => stack.layer(at) };
  const paths = store.paths.node(layer.node);
  const isRemade = readTarRecord(paths)?.reproducible === true;
  return { image, added: undefined, isRemade, pieces: () => (isRemade ? remakeTar(paths) : stack.layer(at)) };
}

function flatLayer({ kind, name }: ExportSource, stack: ExportStack, created: string): LayerToMake {
  const added = { created, createdBy: `lamina ${kind} ${name}, as one layer`, comment: undefined };
  return { image: null, added, isRemade: false, pieces: () => stack.all(true) };
}

const annotation = 'org.opencontainers.image.base';

/**
 * The image below (OCI image specification, annotations.md); its name only where others know it by that, too: a path of
 * this machine is nobody's.
 */
function baseAnnotations(image: Base['image']): Readonly<Record<string, string>> {
  if (image === null) return {};
  const { manifestDigest: digest } = image;
  const name = /^docker:\/\/([^@]+)/.exec(image.reference)?.[1];
  return {
    ...(digest === null ? {} : { [`${annotation}.digest`]: digest }),
    ...(name === undefined ? {} : { [`${annotation}.name`]: name }),
  };
}

/** As Go names it, which images do, too (OCI image specification, config.md, "architecture"). */
function architecture(): string {
  const names: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386', ppc64: 'ppc64le', loong64: 'loong64' };
  return names[process.arch] ?? process.arch;
}
