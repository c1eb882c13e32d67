import * as z from 'zod';
import type { ContentDiff } from '../../changeset/index.js';
import type { LoggedOperation } from '../../journal/index.js';
import type { Determinism } from '../../update/index.js';
import type { DetailedChangeData } from '../apply.js';
import type { BaseData, ChangeData, ContainerData, NodeData, RanBecauseOfData, UpdateData } from '../../data/index.js';
import type { Origin } from '../../provenance/index.js';
import type { PastData } from '../ended-updates.js';
import type { RollbackData } from '../rollback.js';
import type { RunOutputData } from '../run-output.js';
import type { PastShowData, UpdateShowData } from '../update-show.js';

/*
 * The common parts of documents, as schemas. The compiler checks each against the type of the command's result; tests
 * check that it allows nothing else (test/support).
 */

export const name = z.string();
/** Of a node. */
export const displacedId = z.string().regex(/^a-[0-9a-f]{16}$/);
export const id = z.string().regex(/^[bdse]-[0-9a-f]{16}$/);
const updateId = z.string().regex(/^u-[0-9a-f]{16}$/);
export const count = z.number().int().nonnegative();
/** In a root or on the machine: absolute. Bytes that are not UTF-8 are U+DC80…U+DCFF (docs/format.md). */
export const path = z.string().regex(/^\//);
export const time = z.iso.datetime();
const outcome = z.enum(['skipped', 'unchanged', 'changed', 'failed']);

export const digest = z.string().regex(/^sha(?:256:[0-9a-f]{64}|512:[0-9a-f]{128})$/);

const imageLayer = z.strictObject({
  chainId: digest,
  diffId: digest,
  blob: z.strictObject({ digest, size: count, mediaType: z.string() }),
});

const baseImage = z.strictObject({
  reference: z.string(),
  manifestDigest: digest.nullable(),
  configDigest: digest,
  platform: z.string(),
});

export const base = z.strictObject({
  name,
  head: id,
  layers: z.array(id),
  version: z.string().nullable(),
  created: time,
  image: baseImage.nullable(),
}) satisfies z.ZodType<BaseData>;

export const engine = z.enum(['fuse', 'kernel']);

export const container = z.strictObject({
  name,
  base: name,
  layer: id,
  storage: id,
  mountpoint: path.nullable(),
  engine: engine.nullable(),
  behind: z.array(name).nullable(),
  created: time,
}) satisfies z.ZodType<ContainerData>;

export const node = z.strictObject({
  id,
  kind: z.enum(['base-layer', 'delta-layer', 'storage', 'delta-storage']),
  parent: id.nullable(),
  layer: id.nullable(),
  update: name.nullable(),
  sealed: z.boolean(),
  entries: count,
  bytes: count,
  image: imageLayer.nullable(),
}) satisfies z.ZodType<NodeData>;

const effect = z.strictObject({
  container: name,
  outcome,
  storage: id.nullable(),
  entries: count,
  bytes: count,
  conflicts: count,
});

export const update = z.strictObject({
  id: updateId,
  name,
  base: name,
  layer: id,
  parent: id,
  state: z.enum(['committed', 'rolled-back', 'merged']),
  version: z.string().nullable(),
  description: z.string().nullable(),
  created: time,
  entries: count,
  bytes: count,
  effects: z.array(effect),
}) satisfies z.ZodType<UpdateData>;

/** `did`: what the procedure did on the base, at the path or at another one that it depends on. */
export const ranBecauseOf = z.strictObject({
  path,
  did: z.array(z.strictObject({ action: z.string(), path })),
}) satisfies z.ZodType<RanBecauseOfData>;

const shownEffect = {
  ranBecauseOf: ranBecauseOf.nullable(),
  engine: engine.nullable(),
  engineBecause: z.string().nullable(),
  conflictPaths: z.array(path),
  failure: z.string().nullable(),
};

export const shownUpdate = update.extend({
  reason: z.string().nullable(),
  effects: z.array(effect.extend(shownEffect)),
}) satisfies z.ZodType<UpdateShowData>;

const endedEffect = z.strictObject({ container: name, outcome: outcome.nullable(), failure: z.string().nullable() });

export const endedUpdate = z.strictObject({
  id: updateId,
  name,
  base: name,
  state: z.enum(['failed', 'rolled-back', 'discarded']),
  cause: z.enum(['procedure', 'health', 'interrupted', 'error', 'rollback', 'discard', 'abort', 'unmounted']),
  reason: z.string(),
  version: z.string().nullable(),
  description: z.string().nullable(),
  procedure: z.enum(['script', 'package', 'layer', 'image', 'manual']),
  redo: z.boolean(),
  created: time,
  ended: time,
  effects: z.array(endedEffect),
}) satisfies z.ZodType<PastData>;

export const shownEnded = endedUpdate.extend({
  effects: z.array(endedEffect.extend(shownEffect)),
}) satisfies z.ZodType<PastShowData>;

export const runOutput = z.strictObject({
  output: z.string(),
  bytes: count,
  ran: z.boolean(),
}) satisfies z.ZodType<RunOutputData>;

export const entryType = z.enum(['file', 'directory', 'symlink', 'block', 'character', 'fifo', 'socket', 'whiteout']);

export const change = z.strictObject({
  path,
  change: z.enum(['add', 'modify', 'delete']),
  type: entryType,
}) satisfies z.ZodType<ChangeData>;

const file = z.strictObject({ size: count, hash: z.string().regex(/^[0-9a-f]{64}$/) });
const keyChange = z.strictObject({
  key: z.string(),
  before: z.string().nullable(),
  after: z.string().nullable(),
});

const content = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('keys'),
    format: z.enum(['ini', 'json', 'yaml', 'key-value', 'accounts']),
    hidden: z.boolean(),
    keys: z.array(keyChange),
  }),
  z.strictObject({ kind: z.literal('text'), diff: z.string(), note: z.string().nullable() }),
  z.strictObject({
    kind: z.literal('binary'),
    before: file.nullable(),
    after: file.nullable(),
    note: z.string().nullable(),
  }),
]) satisfies z.ZodType<ContentDiff>;

export const detailedChange = change.extend({
  attributes: z.array(z.string()),
  content: content.nullable(),
}) satisfies z.ZodType<DetailedChangeData>;

export const previewedContainer = z.strictObject({
  container: name,
  outcome,
  entries: count,
  bytes: count,
  changes: z.array(detailedChange),
});

export const caughtUpStep = z.strictObject({
  updates: z.array(name),
  layer: id,
  outcome,
  storage: id.nullable(),
  entries: count,
  bytes: count,
  conflicts: count,
  ranBecauseOf: ranBecauseOf.nullable(),
  conflictPaths: z.array(path),
});

export const determinism = z.strictObject({
  differs: z.array(z.strictObject({ path, how: z.enum(['differs', 'only-first', 'only-second']) })),
  ephemeral: z.array(z.string()),
}) satisfies z.ZodType<Determinism>;

export const operation = z.strictObject({
  n: count.optional(),
  time,
  pid: count,
  uid: count,
  gid: count,
  command: z.string(),
  operation: z.string(),
  path: z.string(),
  to: z.string().optional(),
}) as z.ZodType<LoggedOperation>;

export const origin = z.strictObject({
  node: id,
  kind: z.string(),
  update: name.nullable(),
  folded: z.array(name),
  type: entryType,
  path: path.nullable(),
  hiding: z.strictObject({ at: path, by: z.enum(['whiteout', 'opaque', 'replaced']) }).nullable(),
}) satisfies z.ZodType<Origin>;

export const rollback = z.strictObject({
  dryRun: z.boolean(),
  update: name,
  updates: z.array(name),
  containers: z.array(
    z.strictObject({
      update: name,
      container: name,
      kept: z.boolean(),
      merged: z.array(path),
      displaced: z.array(path),
      displacedPath: path.nullable(),
    }),
  ),
  staying: z.array(name),
}) satisfies z.ZodType<RollbackData>;

export const treeSize = z.strictObject({ entries: count, bytes: count });

export const error = z.strictObject({ code: z.string(), message: z.string(), hint: z.string().nullable() });
