import * as z from 'zod';
import type {
  ChannelInitData,
  ChannelRefreshData,
  ChannelUpdate,
  ChannelPruneData,
  PackageData,
  Pushed,
  Rotated,
} from '../channel/publish.js';
import { rollout } from './agent-documents.js';
import { count, name, path, time } from './parts.js';

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const role = z.enum(['root', 'targets', 'snapshot', 'timestamp', 'rollout']);
const range = z.string().nullable();

const built = z.strictObject({
  name,
  base: name.nullable(),
  from: range,
  to: range,
  file: path,
  sha256,
  bytes: count,
}) satisfies z.ZodType<PackageData>;

const made = z.strictObject({
  directory: path,
  root: path,
  keys: z.array(z.strictObject({ role, file: path, encrypted: z.boolean() })),
}) satisfies z.ZodType<ChannelInitData>;

/** An update of a channel. */
export const channelUpdate = z.strictObject({
  sequence: count,
  name,
  base: name,
  package: z.strictObject({ path: z.string(), sha256, bytes: count }),
  group: name.nullable(),
  percent: z.number().min(0).max(100),
  withdrawn: z.boolean(),
  withNewer: z.boolean(),
  from: range,
  to: range,
  publishedAt: time,
}) satisfies z.ZodType<ChannelUpdate>;

const refreshed = z.strictObject({
  directory: path,
  expires: z.strictObject({ root: time, targets: time, snapshot: time, timestamp: time, rollout: time }),
}) satisfies z.ZodType<ChannelRefreshData>;

const rotated = z.strictObject({
  role,
  replaced: z.array(sha256),
  added: z.array(z.strictObject({ id: sha256, file: path, encrypted: z.boolean() })),
  rootVersion: count,
}) satisfies z.ZodType<Rotated>;

const pushed = z.strictObject({
  url: z.string(),
  version: count,
  files: count,
  bytes: count,
}) satisfies z.ZodType<Pushed>;

const pruned = z.strictObject({
  url: z.string(),
  before: time.nullable(),
  removed: z.array(z.string()),
  reports: z.array(z.string()),
  dryRun: z.boolean(),
}) satisfies z.ZodType<ChannelPruneData>;

/** The documents of `package` and `channel`. */
export const channelDocuments = {
  'package build': [built],
  'channel init': [made],
  'channel publish': [channelUpdate],
  'channel promote': [channelUpdate, rollout],
  'channel withdraw': [channelUpdate],
  'channel push': [pushed],
  'channel prune': [pruned],
  'channel refresh': [refreshed],
  'channel rotate-key': [rotated],
} satisfies Readonly<Record<string, readonly z.ZodObject[]>>;
