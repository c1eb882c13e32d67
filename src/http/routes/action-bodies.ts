import * as z from 'zod';

/* What actions take: the options of their commands, under the same names. */

const name = z.string().min(1).max(255);
const seconds = z.number().positive().max(1_000_000);
const conflict = z.enum(['keep', 'ours', 'theirs', 'fail']);
const engine = z.enum(['fuse', 'kernel', 'auto']);
const size = z.string().max(20);
const flag = z.boolean().default(false);
const longestPath = 4096;

const apply = {
  base: name,
  /** A path on the server, absolute, or an image with its transport. */
  procedure: z.string().min(1).max(longestPath),
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
export const previewBody = z.strictObject(apply);
export const applyBody = z.strictObject({ ...apply, health: z.boolean().default(true), restart: flag });

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
  /** A path on the server, absolute, or podman:NAME or lxc:NAME. */
  from: z.string().min(1).max(longestPath).optional(),
  force: flag,
  maxSize: size.optional(),
});

export const gcBody = z.strictObject({ dryRun: flag });
export const verifyBody = z.strictObject({
  nodes: z.array(name).max(1000).default([]),
  quick: flag,
  repair: flag,
});
