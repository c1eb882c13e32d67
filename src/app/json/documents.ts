import * as z from 'zod';
import type { ApplyData } from '../apply.js';
import type { CatchUpData, CatchUpsData } from '../catch-up.js';
import type { CreateData } from '../create.js';
import type { DisplacedData, DisplacedEntries } from '../displaced.js';
import type { ExportData } from '../export.js';
import type { ExplainData } from '../../provenance/index.js';
import type { FileDiffData } from '../file-diff.js';
import type { GcData } from '../gc.js';
import type { HostData } from '../host.js';
import type { GraphData } from '../graph.js';
import type { SizedChangeData, StatusData, UpdateListData } from '../inspect.js';
import type { ItemReport } from '../../inbox/index.js';
import type { LogData } from '../log.js';
import type { BeginData, CommitData } from '../manual.js';
import type { MergeData } from '../merge.js';
import type { RecoverData } from '../recover.js';
import type { Restored } from '../rollback.js';
import type { SettingsData } from '../settings.js';
import type { VerifyData } from '../verify.js';
import { agentDocuments } from './agent-documents.js';
import { containerDocuments, mountedElsewhere, one } from './container-documents.js';
import { channelDocuments } from './channel-documents.js';
import * as part from './parts.js';
import { exportedStore, importedStore, shownBase } from './store-documents.js';

const { base, change, container, count, id, name, node, path, time, update } = part;

const status = z.strictObject({
  store: path,
  generation: count,
  bases: z.array(base),
  containers: z.array(container.extend({ driverGone: z.boolean() })),
  nodes: z.array(node),
  updates: z.array(update),
  running: z.array(
    z.strictObject({ kind: z.string(), base: name.nullable(), process: count, command: z.string(), since: time }),
  ),
  elsewhere: z.array(mountedElsewhere),
  servicing: z.array(
    z.strictObject({
      name,
      base: name,
      directory: path,
      mountpoint: path.nullable(),
      state: z.enum(['open', 'interrupted']),
    }),
  ),
}) satisfies z.ZodType<StatusData>;

const size = { entries: count, bytes: count };

const created = container.extend({
  takenOver: z.strictObject({ ...size, shared: z.strictObject(size), sockets: count }).nullable(),
}) satisfies z.ZodType<CreateData>;

const graph = z.strictObject({
  nodes: z.array(node),
  edges: z.array(z.strictObject({ from: id, to: id, kind: z.enum(['parent', 'layer']) })),
  bases: z.array(z.strictObject({ name, head: id })),
  containers: z.array(z.strictObject({ name, base: name, layer: id, storage: id })),
}) satisfies z.ZodType<GraphData>;

const apply = z.strictObject({
  update: update.nullable(),
  preview: z
    .strictObject({
      base: z.strictObject({ name, bytes: count, changes: z.array(part.detailedChange) }),
      containers: z.array(part.previewedContainer),
    })
    .optional(),
  determinism: part.determinism.optional(),
  restarted: z.array(z.strictObject({ container: name, unit: z.string(), problem: z.string().nullable() })).optional(),
}) as z.ZodType<ApplyData> & z.ZodObject;

const catchUp = z.strictObject({
  container: name,
  base: name,
  layer: id,
  storage: id,
  steps: z.array(part.caughtUpStep),
  stopped: z.strictObject({ updates: z.array(name), message: z.string() }).nullable(),
  preview: z.strictObject({ changes: z.array(part.detailedChange) }).optional(),
}) as z.ZodType<CatchUpData> & z.ZodObject;

const catchUps = z.strictObject({
  containers: z.array(catchUp),
  failed: z.array(z.strictObject({ container: name, code: z.string(), message: z.string() })),
}) as z.ZodType<CatchUpsData> & z.ZodObject;

const paths = z.array(path);

const commit = z.strictObject({
  update,
  containers: z.array(z.strictObject({ container: name, conflicts: paths, passed: paths, hiding: paths })),
}) satisfies z.ZodType<CommitData>;

const merge = z.strictObject({
  dryRun: z.boolean(),
  steps: z.array(
    z.strictObject({
      kind: z.string(),
      container: name.nullable(),
      parts: z.array(id),
      node: id.nullable(),
      before: part.treeSize,
      after: part.treeSize,
    }),
  ),
  saved: z.strictObject({ entries: z.number().int(), bytes: z.number().int() }),
  updates: z.array(name),
  containers: z.array(name),
}) satisfies z.ZodType<MergeData>;

/** What could not be removed. */
const left = z.array(z.strictObject({ path, reason: z.string() }));

const gc = z.strictObject({
  dryRun: z.boolean(),
  found: z.array(z.strictObject({ kind: z.string(), path, bytes: count })),
  left,
  bytes: count,
  displaced: z.strictObject({ count, bytes: count }),
  history: z.strictObject({ count, bytes: count }),
}) satisfies z.ZodType<GcData>;

const exported = z.strictObject({
  exported: name,
  destination: z.string(),
  digest: part.digest.nullable(),
  layers: count.nullable(),
  sockets: count,
  changed: z.array(part.digest),
}) satisfies z.ZodType<ExportData>;

const log = z.strictObject({
  operations: z.array(part.operation),
  ran: z.boolean(),
  recorded: z.boolean(),
}) satisfies z.ZodType<LogData>;

const explain = z.strictObject({
  container: name,
  path,
  origin: part.origin,
  merged: z.array(part.origin),
  content: part.origin.nullable(),
  hides: z.array(part.origin),
  operations: z.array(part.operation),
  run: z.enum(['base', 'container']).nullable(),
  journal: z.enum(['kept', 'gone', 'unrecorded']).nullable(),
  before: path.nullable(),
}) satisfies z.ZodType<ExplainData>;

const recover = z.strictObject({
  transactions: z.array(z.string()),
  nodes: z.array(id),
  updates: z.array(z.string()),
  left,
  mounts: z.array(z.strictObject({ container: name.nullable(), transaction: z.string().nullable(), mountpoint: path })),
  ended: z.array(name),
  byHand: z.array(z.strictObject({ update: name, directory: path, problem: z.string().nullable() })),
}) satisfies z.ZodType<RecoverData>;

const verify = z.strictObject({
  damaged: z.boolean(),
  nodes: count,
  entries: count,
  findings: z.array(
    z.strictObject({
      code: z.string(),
      severity: z.enum(['damage', 'leftover', 'remark']),
      subject: z.string(),
      path: path.nullable(),
      message: z.string(),
      containers: z.array(name),
      updates: z.array(name),
      repair: z.string().nullable(),
      repaired: z.boolean(),
    }),
  ),
}) satisfies z.ZodType<VerifyData>;

const item = z.strictObject({
  version: z.literal(1),
  item: z.string(),
  outcome: z.enum(['applied', 'unchanged', 'rolled-back', 'already', 'failed']),
  update: update.nullable(),
  rollback: part.rollback.nullable(),
  error: part.error.nullable(),
  started: time,
  ended: time,
}) satisfies z.ZodType<ItemReport>;

const restored = z.strictObject({
  container: name,
  path,
  to: path.nullable(),
  replaced: paths,
}) satisfies z.ZodType<Restored>;

const updateList = z.strictObject({
  updates: z.array(update),
  ended: z.array(part.endedUpdate).optional(),
}) as z.ZodType<UpdateListData> & z.ZodObject;

const began = z.strictObject({ name, base: name, mountpoint: path }) satisfies z.ZodType<BeginData>;
const removed = z.strictObject({ removed: name });

const displaced = z.strictObject({
  id: part.displacedId,
  container: name,
  orphaned: z.boolean(),
  update: name,
  created: time,
  paths,
  bytes: count,
}) satisfies z.ZodType<DisplacedData>;

const diff = z.strictObject({
  changes: z.array(change.extend({ bytes: count })),
}) satisfies z.ZodType<{ readonly changes: readonly SizedChangeData[] }>;
const fileDiff = z.strictObject({
  path,
  change: part.detailedChange.nullable(),
}) satisfies z.ZodType<FileDiffData>;

const displacedEntries = displaced.extend({
  entries: z.array(z.strictObject({ path, type: part.entryType, bytes: count })),
}) satisfies z.ZodType<DisplacedEntries>;

const mode = z.enum(['stateless', 'passthrough']);
const settings = z.strictObject({
  engine: z.enum(['fuse', 'kernel', 'auto']),
  containers: z.array(z.strictObject({ name, mode, by: z.enum(['setting', 'image']) })),
}) satisfies z.ZodType<SettingsData>;

const host = z.strictObject({
  kernel: z.string(),
  root: z.boolean(),
  features: z.array(
    z.strictObject({ name: z.string(), available: z.boolean(), detail: z.string(), hint: z.string().nullable() }),
  ),
}) satisfies z.ZodType<HostData>;

/**
 * The documents that commands print with --json, by command. Several: one of them. `run` and `unshare` print what their
 * command does.
 */
export const documents: Readonly<Record<string, readonly z.ZodObject[]>> = {
  init: [z.strictObject({ store: path })],
  host: [host],
  'base import': [base],
  'base list': [z.strictObject({ bases: z.array(base) })],
  'base show': [shownBase],
  'base remove': [removed],
  create: [created],
  remove: [removed.extend({ dropped: z.array(part.displacedId) })],
  ...containerDocuments,
  'update apply': [apply],
  'update begin': [began],
  'update commit': [commit],
  'update abort': [z.strictObject({ aborted: name })],
  'update catch-up': [catchUp, catchUps],
  'update redo': [apply],
  'update list': [updateList],
  'update show': [part.shownUpdate, part.shownEnded],
  rollback: [part.rollback, restored],
  'displaced list': [z.strictObject({ displaced: z.array(displaced) })],
  'displaced show': [displacedEntries],
  'displaced restore': [restored],
  'displaced drop': [z.strictObject({ dropped: z.array(displaced) })],
  merge: [merge],
  export: [exported, exportedStore],
  import: [importedStore],
  gc: [gc],
  status: [status, one],
  graph: [z.strictObject({ graph })],
  diff: [diff, fileDiff],
  log: [log, part.runOutput],
  explain: [explain],
  recover: [recover],
  verify: [verify],
  settings: [settings],
  serve: [z.strictObject({ served: z.string() })],
  completion: [z.strictObject({ shell: z.enum(['bash', 'zsh', 'fish']), script: z.string() })],
  ...channelDocuments,
  snapshotter: [z.strictObject({ address: path })],
  ...agentDocuments,
  watch: [z.strictObject({ done: count, failed: count, items: z.array(item).optional() })],
};

/** The document of any command that fails. */
export const errorDocument: z.ZodObject = z.strictObject({ error: part.error });
