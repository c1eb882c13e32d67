import * as z from 'zod';
import { longestTimeout } from '../../base/time.js';
import { anyPath, name } from './shapes.js';

/* What actions take: the options of their commands, under the same names. */

const seconds = z.number().positive().max(longestTimeout);
const conflict = z.enum(['keep', 'ours', 'theirs', 'fail']);
const engine = z.enum(['fuse', 'kernel', 'auto']);
const size = name.max(20);
const flag = z.boolean().default(false);
/** A path on the server, absolute, or of some actions an image with its transport. */
const source = anyPath;

/** What `update apply` and `update redo` have in common. */
const applied = {
  name: name.optional(),
  containers: z.array(name).max(10_000).optional(),
  network: flag,
  timeout: seconds.optional(),
  engine: engine.optional(),
  jobs: z.number().int().positive().max(1000).optional(),
  onFailure: z.enum(['abort', 'skip']).default('abort'),
  conflict: conflict.optional(),
  maxSize: size.optional(),
  checkDeterminism: flag,
  again: flag,
  force: flag,
  alwaysRun: flag,
};
const apply = { base: name, procedure: source, ...applied };
const published = { health: z.boolean().default(true), restart: flag };
export const previewBody = z.strictObject(apply);
export const applyBody = z.strictObject({ ...apply, ...published });
export const redoBody = z.strictObject({ ...applied, ...published, dryRun: flag });

export const rollbackBody = z.strictObject({
  containers: z.array(name).max(10_000).optional(),
  discard: flag,
  withNewer: flag,
  dryRun: flag,
});

export const mergeBody = z.strictObject({
  keep: z.number().int().min(0).max(1_000_000).optional(),
  /** Merge even if updates can then no longer be rolled back. */
  yes: flag,
  dryRun: flag,
});

export const catchUpBody = z.strictObject({
  timeout: seconds.optional(),
  conflict: conflict.optional(),
  onFailure: z.enum(['abort', 'stop']).default('abort'),
  engine: engine.optional(),
  health: z.boolean().default(true),
  alwaysRun: flag,
  dryRun: flag,
});

export const createBody = z.strictObject({
  name,
  base: name,
  /** Or podman:NAME or lxc:NAME. */
  from: source.optional(),
  force: flag,
  maxSize: size.optional(),
});

export const gcBody = z.strictObject({ dryRun: flag });
export const verifyBody = z.strictObject({
  nodes: z.array(name).max(1000).default([]),
  quick: flag,
  repair: flag,
});

export const mountBody = z.strictObject({
  /** An empty directory on the server, absolute. */
  directory: anyPath,
  readOnly: flag,
  engine: engine.optional(),
  mode: z.enum(['stateless', 'passthrough']).optional(),
  suid: flag,
  dev: flag,
});
export const umountBody = z.strictObject({});

export const importBody = z.strictObject({
  name,
  source,
  contentVersion: name.optional(),
  empty: flag,
  maxSize: size.optional(),
  platform: name.max(100).optional(),
});

export const restoreBody = z.strictObject({
  /** Needed where several paths were displaced. */
  path: anyPath.optional(),
  force: flag,
});
/** Either ids, or a container, or all. */
export const dropBody = z.strictObject({
  ids: z.array(name).max(1000).default([]),
  container: name.optional(),
  all: flag,
});
