import { createHash } from 'node:crypto';
import { fromText } from '../../base/bytes.js';
import { failed } from '../../base/errors.js';
import { hostPlatform } from '../../image/index.js';
import type { OpenedImage } from '../../image/index.js';
import { baseOf, layerChain, snapshotReference } from '../../manifest/index.js';
import type { Manifest, NodeId } from '../../manifest/index.js';
import { storeImageProcedure } from '../../package/index.js';
import type { Store } from '../../store/index.js';
import { withChange } from '../../transaction/index.js';
import type { ApplyRequest, ApplyResult } from './apply-request.js';
import { applyStored } from './apply-update.js';

export interface LayersRequest extends Pick<ApplyRequest, 'base' | 'containers' | 'conflict' | 'force' | 'signal'> {
  /** The newest base layer of what the base is to become: a snapshot of containerd. */
  readonly layer: NodeId;
  readonly preferredName: string;
}

/**
 * Makes a base what some layers of the store show, as an update that is an image: its containers keep what is theirs.
 * @throws LaminaError as `applyUpdate`; refused: the layers are another system, or an older one
 */
export async function applyLayers(
  store: Store,
  { layer, preferredName, ...request }: LayersRequest,
): Promise<ApplyResult> {
  const begin = { kind: 'update', details: { base: request.base }, signal: request.signal };
  return withChange(store, begin, async (context) => {
    const { transaction, hold } = context;
    const manifest = await store.read();
    baseOf(manifest, request.base);
    await hold.add(manifest, request.containers ?? []);
    const image = openLayers(manifest, layer);
    const { procedure: target } = transaction.paths.update;
    const kept = await storeImageProcedure(
      { reference: image.called, digest: image.configDigest },
      preferredName,
      target,
    );
    const apply: ApplyRequest = { ...request, procedure: fromText(image.called), network: false, repeated: 'apply' };
    return applyStored(context, { ...apply, preferredName }, { ...kept, form: 'directory', image });
  });
}

/** containerd keeps the configuration of its image, and hands it to the runtime: this one states the machine only. */
function openLayers(manifest: Manifest, layer: NodeId): OpenedImage {
  const { os, architecture } = hostPlatform();
  const text = JSON.stringify({ architecture, os, config: {}, rootfs: { type: 'layers', diff_ids: [] } });
  const config = Buffer.from(text);
  return {
    called: snapshotReference(layer),
    nodes: layerChain(manifest, layer),
    layers: [],
    manifestDigest: null,
    config,
    configDigest: `sha256:${createHash('sha256').update(config).digest('hex')}`,
    platform: `${os}/${architecture}`,
    fetch: () => Promise.resolve(),
    blob: () => {
      throw failed('internal error: layers of the store have no blobs', { code: 'INTERNAL' });
    },
  };
}
