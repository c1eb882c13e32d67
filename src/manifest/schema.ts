import * as z from 'zod';
import { damaged } from '../base/errors.js';
import { conformsTo } from './conforms.js';
import { digestPattern, mediaTypePattern, platformPattern, referencePattern } from './image.js';
import { migrate } from './migrations.js';
import { namePattern, snapshotIdPattern } from './names.js';

export const manifestFormat = 'lamina-store';
export const manifestVersion = 6;

const id = (prefixes: string) => z.string().regex(new RegExp(`^[${prefixes}]-[0-9a-f]{16}$`), 'not an id');
const anyNodeId = id('bdse');
const layerId = id('bd');
const updateId = id('u');
const name = z.string().regex(namePattern, 'not a name');
const count = z.number().int().nonnegative();
const created = z.iso.datetime({ precision: 3 });

const digest = z.string().regex(digestPattern, 'not a digest');

/** The layer of an image that a base layer is. */
const imageLayerSchema = z.strictObject({
  /** Of this layer and all below it (OCI image specification, config.md, "Layer ChainID"); no other node has it. */
  chainId: digest,
  /** Of the uncompressed tar. */
  diffId: digest,
  /** The blob that it was read from; other blobs may hold the same tar. */
  blob: z.strictObject({ digest, size: count, mediaType: z.string().regex(mediaTypePattern) }),
});

/**
 * The image that a base, or an update of it, was made of. Its configuration is a file of the store, named by
 * `configDigest`.
 */
const baseImageSchema = z.strictObject({
  /** As it was given to `base import` or `update apply`, such as `docker://docker.io/library/debian:12`. */
  reference: z.string().regex(referencePattern),
  /** Of the manifest for `platform`; null: it came from an archive of Docker, which has none. */
  manifestDigest: digest.nullable(),
  configDigest: digest,
  /** os/architecture, or os/architecture/variant. */
  platform: z.string().regex(platformPattern),
});

/** docs/format.md, manifest.json. Strict everywhere: a field that is not known here is refused, not dropped. */
const nodeSchema = z.strictObject({
  kind: z.enum(['base-layer', 'delta-layer', 'storage', 'delta-storage']),
  /** The node of the same side it depends on. */
  parent: anyNodeId.nullable(),
  /** Of a storage or delta storage: the layer it was made on. */
  layer: layerId.nullable(),
  /** Of a delta layer or delta storage: the update that made it. */
  update: updateId.nullable(),
  /** Older updates whose trees were merged into this one, oldest first. */
  merged: z.array(updateId),
  /** Its tree never changes again. Only the top storage of a container is not sealed. */
  sealed: z.boolean(),
  /** Entries of the tree without its root, and bytes of file content; 0 while not sealed. */
  entries: count,
  bytes: count,
  created,
  /** Of a base layer that is the layer of an image; else null. */
  image: imageLayerSchema.nullable(),
});

/**
 * The stated version of the software of a base or an update, such as "12.4": for people, and for the ranges of update
 * packages.
 */
const softwareVersion = z.string().min(1).max(200);

const baseSchema = z.strictObject({
  /** The base layer that updates stand on: of an image the topmost of its layers. */
  root: layerId,
  head: layerId,
  /** The version of the imported content; an update may set its own. */
  version: softwareVersion.nullable(),
  created,
  image: baseImageSchema.nullable(),
});

const containerSchema = z.strictObject({ base: name, layer: layerId, storage: id('s'), created });

const effectSchema = z.strictObject({
  container: name,
  outcome: z.enum(['skipped', 'unchanged', 'changed', 'failed']),
  /** The delta storage, or null where the update had no side effect here. */
  storage: id('e').nullable(),
  /** The storage that was sealed for the update, or null where the empty top was reused. */
  sealed: id('s').nullable(),
  /** The container's top storage right after the update; null only where it failed. */
  top: id('s').nullable(),
  entries: count,
  /** The number of paths at which the container's content and the update's could not be merged. */
  conflicts: count,
});

const updateSchema = z.strictObject({
  name,
  base: name,
  /** The version of the base that it makes, or null where it states none. */
  version: softwareVersion.nullable(),
  description: z.string().nullable(),
  /**
   * The layer it was applied to, and the delta layer it made. For a merged one both are the layer that holds it now.
   */
  parent: layerId,
  layer: layerId,
  /**
   * `rolled-back`: it left its base's lineage, but its layer stays for containers that were created on it. `merged`:
   * its layer is part of a newer one, so that it can no longer be rolled back by itself; its record stays, because its
   * procedure is needed to catch up.
   */
  state: z.enum(['committed', 'rolled-back', 'merged']),
  created,
  procedure: z.strictObject({
    kind: z.enum(['script', 'package', 'layer', 'image', 'manual']),
    hash: z.string().regex(/^(?:[0-9a-f]{16}|[0-9a-f]{80})$/),
  }),
  /** Of an update that is a new image: that image, whose configuration counts from then on. Else null. */
  image: baseImageSchema.nullable(),
  effects: z.array(effectSchema),
});

/** Without control characters: it is shown to people. */
const foreignText = z.string().regex(/^[^\p{Cc}]{0,4096}$/u);
const snapshotId = z.string().regex(snapshotIdPattern, 'not an id');

/** A snapshot that `lamina snapshotter` keeps for containerd: docs/containerd.md. */
const snapshotSchema = z.strictObject({
  /** containerd's: the key of an active snapshot or a view, the name of a committed one. Or `forgottenName`. */
  name: foreignText,
  kind: z.enum(['committed', 'active', 'view']),
  /** A committed snapshot. */
  parent: snapshotId.nullable(),
  /**
   * Of a committed one its base layer. Of an active one, and of a view without a parent, the id of its tree: a
   * directory of the store that is not in `nodes`, because it is not sealed; a commit puts it there. Null: it has no
   * tree of its own.
   */
  node: z
    .string()
    .regex(/^b-[0-9a-f]{16}$/)
    .nullable(),
  /**
   * Of an active one: the container whose root it shows, and which outlives it. With neither a tree nor a container it
   * shows nothing any more: its container is shown by a later one, or was removed.
   */
  container: name.nullable(),
  labels: z.record(foreignText, foreignText),
  created,
  updated: created,
});

export const manifestSchema = z.strictObject({
  format: z.literal(manifestFormat),
  version: z.literal(manifestVersion),
  generation: count,
  /**
   * Which extended attributes are overlay marks in its trees; null where an older version made the store, and nothing
   * was changed since.
   */
  marks: z.enum(['trusted', 'user']).nullable(),
  nodes: z.record(anyNodeId, nodeSchema),
  bases: z.record(name, baseSchema),
  containers: z.record(name, containerSchema),
  updates: z.record(updateId, updateSchema),
  /** The snapshots of containerd. */
  containerd: z.record(snapshotId, snapshotSchema),
});

/**
 * A manifest is shared by all who read it. The compiler ensures that no code writes into it: freezing ten thousand
 * nodes takes longer than reading them.
 */
type Fixed<T> = T extends object ? { readonly [K in keyof T]: Fixed<T[K]> } : T;

export type Manifest = Fixed<z.infer<typeof manifestSchema>>;
/** The namespace of overlay marks: `trusted` with root, `user` without. */
export type Marks = NonNullable<Manifest['marks']>;
export type ManifestNode = Fixed<z.infer<typeof nodeSchema>>;
export type NodeKind = ManifestNode['kind'];
export type Base = Fixed<z.infer<typeof baseSchema>>;
export type ImageLayer = Fixed<z.infer<typeof imageLayerSchema>>;
export type BaseImage = Fixed<z.infer<typeof baseImageSchema>>;
export type Container = Fixed<z.infer<typeof containerSchema>>;
export type Update = Fixed<z.infer<typeof updateSchema>>;
export type Effect = Fixed<z.infer<typeof effectSchema>>;
export type Outcome = Effect['outcome'];
export type Snapshot = Fixed<z.infer<typeof snapshotSchema>>;

/** Ids as in docs/format.md: `b-` base layer, `d-` delta layer, `s-` storage, `e-` delta storage, `u-` update. */
export type NodeId = string;
export type UpdateId = string;
/** `k-` and 16 hexadecimal digits. */
export type SnapshotId = string;

/** The manifest of a new store: no base, no container, generation 0. */
export function emptyManifest(marks: Marks | null = null): Manifest {
  return {
    format: manifestFormat,
    version: manifestVersion,
    generation: 0,
    marks,
    nodes: {},
    bases: {},
    containers: {},
    updates: {},
    containerd: {},
  };
}

const isManifest = conformsTo(manifestSchema);

const restoreHint = 'restore manifest.json from a backup of the store';

/** A manifest as a file holds it. */
export interface WrittenManifest {
  readonly manifest: Manifest;
  /** Of the format that the file is written in. */
  readonly version: number;
}

/**
 * Checks the shape of a manifest; `checkGraph` checks its meaning.
 * @param where the file's path, for the message
 * @throws LaminaError damaged: not JSON, not a manifest, an unknown version, unknown or missing fields
 */
export function parseManifest(text: string, where = 'manifest.json'): Manifest {
  return readManifest(text, where).manifest;
}

/** As `parseManifest`, and returns the file's format version too. @param checked it is known to be a valid manifest */
export function readManifest(text: string, where: string, checked = false): WrittenManifest {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw damaged(`${where} is not valid JSON`, { code: 'MANIFEST_DAMAGED', hint: restoreHint, cause: error });
  }
  const version = checkVersion(value, where);
  const present = migrate(value, version);
  if (checked || isManifest(present)) return { manifest: present as Manifest, version };
  const parsed = manifestSchema.safeParse(present);
  if (parsed.success) return { manifest: parsed.data, version };
  const issues = parsed.error.issues
    .slice(0, 3)
    .map((issue) => `${issue.path.join('.') || 'document'}: ${issue.message}`);
  throw damaged(`${where} is not a valid manifest: ${issues.join('; ')}`, {
    code: 'MANIFEST_DAMAGED',
    hint: restoreHint,
    cause: parsed.error,
  });
}

/** The version stated in a manifest. */
function checkVersion(value: unknown, where: string): number {
  const fields: { format?: unknown; version?: unknown } = typeof value === 'object' && value !== null ? value : {};
  if (fields.format !== manifestFormat) {
    throw damaged(`${where} is not the manifest of a Lamina store`, { code: 'MANIFEST_DAMAGED', hint: restoreHint });
  }
  const found = fields.version;
  if (typeof found === 'number' && Number.isInteger(found) && found >= 1 && found <= manifestVersion) return found;
  if (typeof found === 'number' && Number.isInteger(found) && found > manifestVersion) {
    throw damaged(`${where} has version ${found}; this lamina knows versions up to ${manifestVersion}`, {
      code: 'MANIFEST_VERSION',
      hint: 'use the lamina that wrote this store, or a newer one',
    });
  }
  throw damaged(`${where} has an unknown version (${found === undefined ? 'none' : JSON.stringify(found)})`, {
    code: 'MANIFEST_VERSION',
    hint: restoreHint,
  });
}
