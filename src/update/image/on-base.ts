import { writeFileSync } from 'node:fs';
import { toBuffer } from '../../base/bytes.js';
import { must } from '../../base/errors.js';
import { layerListings, stageDeltaTo, stageEmptyRun } from '../../capture/index.js';
import type { DeltaLayer, Work } from '../../capture/index.js';
import { View } from '../../changeset/index.js';
import type { Listing } from '../../changeset/index.js';
import { stageLayers } from '../../image/index.js';
import type { OpenedImage } from '../../image/index.js';
import { imageLayers } from '../../manifest/index.js';
import type { BaseImage, Manifest, SealedNode } from '../../manifest/index.js';
import { viewRoot } from '../../sandbox/index.js';
import { readIndex } from '../../store/index.js';
import type { ImportOptions, MountableNode } from '../../store/index.js';
import { checkFitness } from './fitness.js';
import { factsOf } from './root-facts.js';

export interface ImageOnBase {
  readonly image: OpenedImage;
  readonly manifest: Manifest;
  readonly base: string;
  /** The image that the base is of now. */
  readonly present: BaseImage | null;
  readonly force: boolean;
  readonly maxBytes?: number | undefined;
  readonly onProgress?: ImportOptions['onProgress'];
}

/** A layer of the new image, in the store or staged. */
interface Layer extends MountableNode {
  readonly listing: Listing;
}

/**
 * The delta layer with which the base's root is that of an image. Layers that the store has are not read again; others
 * are unpacked for this alone.
 * @throws LaminaError refused: it is another system, or older; as `stageLayers`
 */
export async function stageImageDelta(work: Work, request: ImageOnBase): Promise<DeltaLayer> {
  const { transaction, signal } = work;
  const { image, manifest, maxBytes, onProgress } = request;
  stageEmptyRun(work);
  const options = { signal, maxBytes, onProgress };
  const staged =
    image.nodes === undefined
      ? await stageLayers({ image, transaction, manifest, staged: new Map(), options })
      : new Map<string, SealedNode>();
  try {
    const layers = await layersOf(work, request, staged);
    if (!request.force) await checkAgainst(work, request, layers);
    const delta = await stageDeltaTo(work, layers, staged.size);
    writeFileSync(toBuffer(transaction.stageImage(image.configDigest).config), image.config, { mode: 0o600 });
    return delta;
  } finally {
    for (const { id } of staged.values()) await transaction.unstage(id);
  }
}

/** Newest first: those that are staged before those that the store has. */
async function layersOf(
  { transaction, reader }: Work,
  { image, manifest }: ImageOnBase,
  staged: ReadonlyMap<string, SealedNode>,
): Promise<Layer[]> {
  if (image.nodes !== undefined)
    return Promise.all(
      reader.mountable(image.nodes).map(async (node) => ({ ...node, listing: await reader.listing(node.id) })),
    );
  const known = imageLayers(manifest);
  const layers = image.layers.map(async ({ chainId }): Promise<Layer> => {
    const node = staged.get(chainId);
    if (node === undefined) {
      const id = must(known.get(chainId), 'a layer of the store');
      return { ...must(reader.mountable([id])[0], 'a layer'), listing: await reader.listing(id) };
    }
    const { tree, index } = must(transaction.stagedPlace(node.id), 'a staged layer');
    return { id: node.id, tree, index, listing: await readIndex(index) };
  });
  return (await Promise.all(layers)).reverse();
}

async function checkAgainst(work: Work, request: ImageOnBase, layers: readonly Layer[]): Promise<void> {
  const { image, base, present } = request;
  const below = await layerListings(work);
  const listings = layers.map(({ listing }) => listing);
  checkFitness(
    { image: image.called, base },
    {
      facts: factsOf(viewRoot(below, work.reader.mountable(work.layers))),
      architecture: present === null ? undefined : architectureIn(present.platform),
      view: new View(below),
    },
    {
      facts: factsOf(viewRoot(listings, layers)),
      architecture: architectureIn(image.platform),
      view: new View(listings),
    },
  );
}

const architectureIn = (platform: string) => platform.split('/')[1];
