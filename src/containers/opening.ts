import { display } from '../base/bytes.js';
import { warn } from '../base/this-command.js';
import { parseConfig } from '../image/index.js';
import { containerOf, imageAt, isSnapshotReference } from '../manifest/index.js';
import type { Manifest } from '../manifest/index.js';
import { containerModes, modeSetting, reasonAgainstPassthrough } from '../mount/index.js';
import type { ContainerMode } from '../mount/index.js';
import { readImageConfig } from '../store/index.js';
import type { Store } from '../store/index.js';

/** Of an image: how the driver should open the files of its containers. */
const modeLabel = 'dev.lamina.mode';

interface Opening {
  readonly mode: ContainerMode;
  /** What says so; null: nothing does. */
  readonly by: 'setting' | 'image' | null;
}

/**
 * How the driver opens the files of a container, where the command does not say so: as its setting says, else as the
 * label of its image, else stateless. An image only wishes: where passthrough cannot be had, its containers are opened
 * stateless.
 */
export function openingOf(store: Store, manifest: Manifest, container: string): Opening {
  const set = modeSetting(store, manifest, container);
  if (set !== undefined) return { mode: set, by: 'setting' };
  const wish = imageWish(store, manifest, container);
  return wish === undefined ? { mode: 'stateless', by: null } : { mode: wish, by: 'image' };
}

/** As `openingOf`; says where it is not as the image wishes. */
export function modeFor(store: Store, manifest: Manifest, container: string): ContainerMode {
  const { mode, by } = openingOf(store, manifest, container);
  if (by !== 'image' || mode !== 'passthrough') return mode;
  const reason = reasonAgainstPassthrough();
  if (reason === undefined) return mode;
  warn(
    `container '${container}' is opened stateless, though its image has the label ${modeLabel}=passthrough: ${reason}`,
  );
  return 'stateless';
}

function imageWish(store: Store, manifest: Manifest, container: string): ContainerMode | undefined {
  const { base, layer } = containerOf(manifest, container);
  const image = imageAt(manifest, base, layer);
  if (image === null || isSnapshotReference(image.reference)) return undefined;
  const { config } = parseConfig(readImageConfig(store.paths, image.configDigest), `the image ${image.reference}`);
  const label = config?.Labels?.[modeLabel];
  if (label === undefined) return undefined;
  const known = containerModes.find((mode) => mode === label);
  if (known === undefined)
    warn(
      `the image of container '${container}' has the label ${modeLabel}=${display(label.slice(0, 80))}, which is not a mode`,
    );
  return known;
}
