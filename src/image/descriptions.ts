import { createHash } from 'node:crypto';
import * as z from 'zod';
import { digestPattern, mediaTypePattern } from '../manifest/index.js';
import { jsonDepth } from '../base/json.js';
import { limits, overLimit } from '../base/limits.js';
import { corruptBlob, invalidImage } from './errors.js';

/*
 * What describes an image (OCI image specification, image-index.md, manifest.md, config.md; Docker's image manifest,
 * version 2, schema 2). Members that are not known are allowed, as the specification asks for.
 */

const digest = z.string().regex(digestPattern, 'not a digest');
const size = z.number().int().nonnegative();

interface StatedPlatform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string | null | undefined;
}

/** One that does not say for which machines is none. */
const descriptorPlatform = z
  .object({ os: z.string().nullish(), architecture: z.string().nullish(), variant: z.string().nullish() })
  .transform(({ os, architecture, variant }): StatedPlatform | undefined =>
    os && architecture ? { os, architecture, variant } : undefined,
  );

const descriptorSchema = z.object({
  mediaType: z.string().regex(mediaTypePattern),
  digest,
  size,
  urls: z.array(z.string()).nullish(),
  artifactType: z.string().nullish(),
  annotations: z.record(z.string(), z.string()).nullish(),
  platform: descriptorPlatform.nullish(),
});

const indexSchema = z.object({ manifests: z.array(descriptorSchema) });
const manifestSchema = z.object({ config: descriptorSchema, layers: z.array(descriptorSchema) });

const words = z.array(z.string()).nullish();
const keys = z.record(z.string(), z.unknown()).nullish();

/** It is kept with the base, and shown. */
const platformName = z.string().regex(/^[a-z0-9._-]{1,64}$/, 'not the name of a platform');

/** Old builders leave it out, or empty. */
const platformPart = platformName.or(z.literal('')).nullish();

const configSchema = z.object({
  os: platformPart,
  architecture: platformPart,
  variant: z
    .string()
    .regex(/^[A-Za-z0-9._-]{0,64}$/, 'not the name of a platform')
    .nullish(),
  rootfs: z.object({ type: z.literal('layers').nullish(), diff_ids: z.array(digest) }),
  config: z
    .object({
      User: z.string().nullish(),
      Env: words,
      Entrypoint: words,
      Cmd: words,
      WorkingDir: z.string().nullish(),
      StopSignal: z.string().nullish(),
      Labels: z.record(z.string(), z.string()).nullish(),
      ExposedPorts: keys,
      Volumes: keys,
    })
    .nullish(),
});

export type Descriptor = z.infer<typeof descriptorSchema>;
export type ImageIndex = z.infer<typeof indexSchema>;
export type ImageManifest = z.infer<typeof manifestSchema>;
export type ImageConfig = z.infer<typeof configSchema>;

export const parseIndex = (bytes: Buffer, called: string): ImageIndex => parsed(indexSchema, bytes, called);
export const parseManifest = (bytes: Buffer, called: string): ImageManifest => parsed(manifestSchema, bytes, called);
export const parseConfig = (bytes: Buffer, called: string): ImageConfig => parsed(configSchema, bytes, called);

const soundImage = 'get a sound image from a source you trust';

/** @throws LaminaError failed: it is no such document; refused: it is nested too deep */
export function parsed<T>(schema: z.ZodType<T>, bytes: Buffer, called: string): T {
  const text = bytes.toString('utf8');
  const depth = jsonDepth(text);
  // What is deeper could not be written again, with an export.
  if (depth > limits.nesting.value)
    throw overLimit(limits.nesting, `${called} is nested ${depth} levels deep`, soundImage);
  let value: unknown;
  try {
    // A member that is null counts as absent, as in Go, in which nearly all programs for images are written.
    value = JSON.parse(text, (_key, member: unknown) => (member === null ? undefined : member));
  } catch (error) {
    throw invalidImage(called, 'it is not JSON', error);
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const where = issue?.path.map(String).join('.').slice(0, 100) ?? '';
  throw invalidImage(called, `${where === '' ? 'the document' : where}: ${issue?.message ?? ''}`, result.error);
}

export const digestOf = (bytes: Buffer, algorithm = 'sha256'): string =>
  `${algorithm}:${createHash(algorithm).update(bytes).digest('hex')}`;

export const algorithmOf = (of: string): string => of.slice(0, of.indexOf(':'));
export const hexOf = (of: string): string => of.slice(of.indexOf(':') + 1);

/** @throws LaminaError failed: the bytes are not those that the descriptor names */
export function checkBytes(bytes: Buffer, { digest: stated, size: length }: Descriptor, called: string): Buffer {
  if (bytes.length !== length)
    throw corruptBlob(called, stated, `has ${bytes.length} bytes, and not ${length} as it should`);
  const found = digestOf(bytes, algorithmOf(stated));
  if (found !== stated) throw corruptBlob(called, stated, `has another digest: ${found}`);
  return bytes;
}

/** @throws LaminaError refused: the description of an image is too large */
export function checkDescriptionSize(bytes: number, called: string): void {
  if (bytes > limits.imageDescription.value)
    throw overLimit(limits.imageDescription, `${called} has ${bytes} bytes`, soundImage);
}
