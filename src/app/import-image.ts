import { writeFileSync } from 'node:fs';
import { toBuffer } from '../base/bytes.js';
import { must, usage } from '../base/errors.js';
import { isoNow } from '../base/time.js';
import { baseData } from '../data/index.js';
import type { BaseData } from '../data/index.js';
import { imageName, openImage, platformOf, referenceText, stageLayers, withImageName } from '../image/index.js';
import type { OpenedImage } from '../image/index.js';
import { addImageBase, checkNewBase, imageLayers } from '../manifest/index.js';
import type { Manifest, SealedNode } from '../manifest/index.js';
import type { ImportOptions, Store } from '../store/index.js';
import { publishChange, withChange } from '../transaction/index.js';
import type { Change, ChangeContext } from '../transaction/index.js';

export interface ImageOptions extends Omit<ImportOptions, 'calledAs'> {
  /** Of the content. */
  readonly version?: string | undefined;
  /** os/architecture[/variant]; undefined: that of this machine. */
  readonly platform?: string | undefined;
}

/** Whether a source names an image, and not a directory or a tar. @throws LaminaError usage: the name is malformed */
export const namesImage = (source: string): boolean => imageName(source) !== undefined;

/**
 * Makes a base from an image: a base layer for each layer, shared with other images that have the same ones.
 * @param source with its transport, as containers-transports(5) has it
 * @throws LaminaError usage, notFound: no such image, tag or platform; refused: the name is taken, or a layer is unsafe
 * or beyond a limit; failed: it is corrupt, cannot be fetched or written
 */
export async function importImage(
  store: Store,
  name: string,
  source: string,
  options: ImageOptions,
): Promise<BaseData> {
  const image = imageName(source);
  if (image === undefined) throw usage(`'${referenceText(source)}' names no image`);
  const wanted = options.platform === undefined ? undefined : platformOf(options.platform);
  const called = referenceText(source);
  return withImageName(image, called, async (held) => {
    const before = async () => {
      checkNewBase(await store.read(), name);
    };
    const { signal, version = null } = options;
    const manifest = await withChange(store, { kind: 'import', signal, before }, async (context) => {
      const { layout } = context.transaction.paths;
      const opened = await openImage(held, { called, wanted, layout, options });
      return publishChange(context, new ImageImport(context, opened, { name, version, options }));
    });
    return baseData(must(manifest, 'what was published'), name);
  });
}

interface Request {
  readonly name: string;
  readonly version: string | null;
  readonly options: ImageOptions;
}

/** What is to be staged, and what was but is not needed: another command has imported it. By chain ID. */
interface Plan {
  readonly missing: readonly string[];
  readonly needless: readonly string[];
}

/** The change that the import of an image makes. */
class ImageImport implements Change<Plan> {
  readonly #staged = new Map<string, SealedNode>();
  #hasConfig = false;

  constructor(
    readonly context: ChangeContext,
    readonly image: OpenedImage,
    readonly request: Request,
  ) {}

  readonly plan = (manifest: Manifest): Plan | undefined => {
    const present = imageLayers(manifest);
    const missing = this.image.layers
      .map(({ chainId }) => chainId)
      .filter((chainId) => !present.has(chainId) && !this.#staged.has(chainId));
    const needless = [...this.#staged.keys()].filter((chainId) => present.has(chainId));
    return missing.length + needless.length === 0 && this.#hasConfig ? undefined : { missing, needless };
  };

  readonly stage = async ({ needless }: Plan, manifest: Manifest): Promise<void> => {
    const { transaction } = this.context;
    for (const chainId of needless) {
      const node = this.#staged.get(chainId);
      this.#staged.delete(chainId);
      if (node !== undefined) await transaction.unstage(node.id);
    }
    const staged = this.#staged;
    const { options } = this.request;
    for (const [chainId, node] of await stageLayers({ image: this.image, transaction, manifest, staged, options }))
      staged.set(chainId, node);
    if (this.#hasConfig) return;
    writeFileSync(toBuffer(transaction.stageImage(this.image.configDigest).config), this.image.config, { mode: 0o600 });
    this.#hasConfig = true;
  };

  readonly transition = (manifest: Manifest): Manifest => {
    const { manifestDigest, configDigest, platform, called: reference } = this.image;
    const { name, version } = this.request;
    const layers = this.image.layers.map(({ chainId, diffId, blob }) => ({
      image: { chainId, diffId, blob },
      node: this.#staged.get(chainId),
    }));
    const image = { reference, manifestDigest, configDigest, platform };
    return addImageBase(manifest, { name, version, created: isoNow(), image, layers });
  };
}
