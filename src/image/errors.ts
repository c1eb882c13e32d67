import { display } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { failed, notFound, refused } from '../base/errors.js';
import type { LaminaError } from '../base/errors.js';
import { someOf } from '../base/some-of.js';

export function namesText(names: readonly string[]): string {
  return names.length === 0 ? 'none' : someOf(names.map((name) => display(name.slice(0, 200))));
}

/** A blob or a description is not what its descriptor says. */
export function corruptBlob(called: string, digest: string, what: string, cause?: unknown): LaminaError {
  return failed(`blob ${digest} of ${called} ${what}`, {
    code: 'CORRUPT_BLOB',
    hint: 'the image is truncated or corrupt: get it again',
    cause,
  });
}

/** What describes the image contradicts itself, or is none. */
export function invalidImage(called: string, what: string, cause?: unknown): LaminaError {
  return failed(`${called} is not a valid image: ${what}`, {
    code: 'INVALID_IMAGE',
    hint: 'get it again, or build it again',
    cause,
  });
}

export function unknownMediaType(called: string, digest: string, type: string): LaminaError {
  return refused(`${digest} of ${called} has the media type '${display(type.slice(0, 200))}', which is not read`, {
    code: 'MEDIA_TYPE',
    hint: 'build it again with layers as tar, gzip or zstd, for example: skopeo copy --format oci SOURCE oci:DIR:TAG',
  });
}

export function noTag(called: string, tag: string, tags: readonly string[]): LaminaError {
  return notFound(`${called} has no image '${display(tag)}'; there are: ${namesText(tags)}`, {
    code: 'NO_TAG',
    hint: 'name one of those that are there',
  });
}

export function noPlatform(called: string, wanted: string, platforms: readonly string[]): LaminaError {
  return notFound(`${called} has no image for ${wanted}; there are: ${namesText(platforms)}`, {
    code: 'NO_PLATFORM',
    hint: 'choose one of those that are there with --platform OS/ARCHITECTURE',
  });
}

export function noSource(path: BytePath, what: string): LaminaError {
  return notFound(`there is no ${what} at ${display(path)}`, {
    code: 'NO_SOURCE',
    hint: 'check the path; it ends at the first colon, and a tag may follow',
  });
}
