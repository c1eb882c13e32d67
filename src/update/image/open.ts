import { display, fromText, join, toText } from '../../base/bytes.js';
import type { BytePath } from '../../base/bytes.js';
import { must, refused } from '../../base/errors.js';
import { hostPlatform, imageName, openImage, platformOf, referenceText, withImageName } from '../../image/index.js';
import type { ImageName, OpenedImage } from '../../image/index.js';
import { isSnapshotReference } from '../../manifest/index.js';
import type { BaseImage } from '../../manifest/index.js';
import { checkInside } from '../../package/index.js';
import type { ProcedureImage } from '../../package/index.js';
import { absolutePath } from '../../platform/command-line.js';
import type { Transaction } from '../../store/index.js';

export interface OpenRequest {
  readonly transaction: Transaction;
  readonly image: ProcedureImage;
  /** Of a package: where it lies, and its name for people. Undefined: the image was named by itself. */
  readonly inPackage?: { readonly at: BytePath; readonly source: BytePath } | undefined;
  /** The image that the base is of now. */
  readonly present: BaseImage | null;
  readonly force: boolean;
  readonly maxBytes?: number | undefined;
  readonly signal: AbortSignal;
}

/**
 * The image that an update is, open while `work` runs.
 * @throws LaminaError as `base import` of an image; refused: another image than the package's
 */
export async function withUpdateImage<T>(request: OpenRequest, work: (image: OpenedImage) => Promise<T>): Promise<T> {
  const { transaction, image, maxBytes, signal } = request;
  const called = referenceText(image.reference);
  if (isSnapshotReference(image.reference))
    throw refused(`${called} is a snapshot of containerd, and can be applied only through containerd`, {
      code: 'SNAPSHOT_IMAGE',
      hint: 'start the container with containerd, from the image of the snapshot',
    });
  const name = must(imageName(image.reference), 'the name of an image');
  return withImageName(placed(name, request), called, async (held) => {
    const options = { signal, maxBytes };
    const { layout } = transaction.paths;
    const opened = await openImage(held, { called, wanted: wantedPlatform(request), layout, options });
    checkDigest(opened, image.digest);
    return work(opened);
  });
}

/** As `reference`, whatever the working directory is later. */
export function lastingReference(reference: string): string {
  const name = imageName(reference);
  if (name === undefined || !('path' in name)) return reference;
  const path = toText(absolutePath(toText(name.path)));
  const text = `${name.transport}:${path}${name.tag === undefined ? '' : `:${name.tag}`}`;
  // A path with a colon cannot be named.
  const again = imageName(text);
  return again !== undefined && 'path' in again && toText(again.path) === path && again.tag === name.tag
    ? text
    : reference;
}

/** A name for the update: the last part of what names the image, with its tag. */
export function nameOfImage(reference: string): string {
  const [, rest = reference] = /^[a-z-]+:(?:\/\/)?(.*)$/s.exec(reference) ?? [];
  return (rest.replace(/\/+$/, '').split('/').at(-1) ?? rest).replace(/@.*/s, '');
}

function placed(name: ImageName, { inPackage }: OpenRequest): ImageName {
  if (inPackage === undefined || !('path' in name) || name.path.startsWith('/')) return name;
  checkInside(inPackage.at, toText(name.path), inPackage.source);
  return { ...name, path: join(inPackage.at, name.path) };
}

/** Undefined: this machine's. An image for several has one for the base's platform, or none that could be taken. */
function wantedPlatform({ present, force }: OpenRequest) {
  if (present === null || force) return undefined;
  const platform = platformOf(present.platform);
  return platform.architecture === hostPlatform().architecture ? undefined : platform;
}

function checkDigest({ manifestDigest, configDigest, called }: OpenedImage, wanted: string | undefined): void {
  if (wanted === undefined || wanted === manifestDigest || wanted === configDigest) return;
  throw refused(
    `${display(fromText(called))} is now the image ${manifestDigest ?? configDigest}, and the update is ${wanted}`,
    {
      code: 'OTHER_IMAGE',
      hint: 'apply the image that is there now by its name; or name the other one by its digest, if its registry still has it',
    },
  );
}
