import * as z from 'zod';
import { LaminaError, failed, refused } from '../base/errors.js';
import { isRecord, jsonOf } from '../base/json.js';
import { version } from '../base/version.js';
import { checkGraph, readManifest } from '../manifest/index.js';
import type { Manifest, NodeId } from '../manifest/index.js';
import { archiveFormat, archiveVersion, extraNames } from './names.js';
import type { ExtraName } from './names.js';

/** The first member of an archive. */
export interface Description {
  readonly manifest: Manifest;
  /** What nodes have beside their trees; nodes without anything are left out. */
  readonly extras: Readonly<Record<NodeId, readonly ExtraName[]>>;
  readonly created: string;
}

const schema = z.strictObject({
  format: z.literal(archiveFormat),
  version: z.literal(archiveVersion),
  lamina: z.string().max(100),
  created: z.iso.datetime(),
  manifest: z.unknown(),
  extras: z.record(z.string(), z.array(z.enum(extraNames)).max(extraNames.length)),
});

/** More changes than any store sees. */
const largestGeneration = 2 ** 40;

export function writeDescription({ manifest, extras, created }: Description): Buffer {
  const head = { format: archiveFormat, version: archiveVersion, lamina: version, created };
  return Buffer.from(`${JSON.stringify({ ...head, manifest, extras })}\n`);
}

/** @throws LaminaError failed: it is none, or contradicts itself; refused: it is of a newer version */
export function readDescription(bytes: Buffer, called: string): Description {
  const value = jsonOf(bytes.toString('utf8'));
  if (!isRecord(value) || value['format'] !== archiveFormat) throw noArchive(called);
  const stated = value['version'];
  if (typeof stated === 'number' && Number.isInteger(stated) && stated > archiveVersion) throw newer(called, stated);
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw corruptArchive(called, 'its description is not valid', parsed.error);
  const { extras, created } = parsed.data;
  return { manifest: manifestIn(parsed.data.manifest, called), extras, created };
}

function manifestIn(value: unknown, called: string): Manifest {
  let manifest: Manifest;
  try {
    ({ manifest } = readManifest(JSON.stringify(value ?? null), `the manifest in ${called}`));
  } catch (error) {
    if (error instanceof LaminaError && error.code === 'MANIFEST_VERSION') throw newer(called, undefined, error);
    throw corruptArchive(called, 'its manifest is not valid', error);
  }
  // The store continues from there: a number beyond those that are exact would be its last.
  if (manifest.generation > largestGeneration)
    throw corruptArchive(called, `its manifest has the impossible generation ${manifest.generation}`);
  const [fault] = checkGraph(manifest);
  if (fault === undefined) return manifest;
  throw corruptArchive(called, `its manifest contradicts itself: ${fault.subject}: ${fault.message}`);
}

function newer(called: string, stated: number | undefined, cause?: unknown): LaminaError {
  return refused(
    stated === undefined
      ? `${called} has a manifest of a version that this lamina does not know`
      : `${called} has version ${stated}, and this lamina knows versions up to ${archiveVersion}`,
    { code: 'ARCHIVE_VERSION', hint: 'use the lamina that wrote it, or a newer one', cause },
  );
}

export function noArchive(called: string, cause?: unknown): LaminaError {
  return failed(`${called} is not an archive of a store`, {
    code: 'NOT_AN_ARCHIVE',
    hint: 'give a file that was made with: lamina export NAME store-archive:FILE; for images and roots there is: lamina base import',
    cause,
  });
}

export function corruptArchive(called: string, what: string, cause?: unknown): LaminaError {
  return failed(`${called} is corrupt: ${what}`, { code: 'CORRUPT_ARCHIVE', hint: 'get it again', cause });
}
