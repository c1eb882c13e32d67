import type { ServerUnaryCall, ServerWritableStream, UntypedServiceImplementation, sendUnaryData } from '@grpc/grpc-js';
import {
  cleanUpSnapshots,
  commitSnapshot,
  listSnapshots,
  prepareSnapshot,
  removeSnapshot,
  snapshotMounts,
  snapshotUsage,
  statSnapshot,
  updateSnapshot,
} from '../app/snapshots.js';
import type { SnapshotEngine } from '../app/snapshots.js';
import type { Store } from '../app/open-store.js';
import type { LaminaError } from '../base/errors.js';
import { usage } from '../base/errors.js';
import { nextTime } from '../base/time.js';
import { parseFilters } from './filter.js';
import { infoOf } from './messages.js';
import type { CommitRequest, CreateRequest, KeyRequest, ListRequest, UpdateRequest } from './messages.js';
import { failureOf } from './status.js';
import type { Failure } from './status.js';

export interface ServiceOptions {
  readonly engine: SnapshotEngine;
  /** Aborts calls. */
  readonly signal: AbortSignal;
  /** Called for each call that fails for another reason than what containerd asked for. */
  readonly onFault: (call: string, error: LaminaError) => void;
}

/** As many as containerd's own server sends at once (contrib/snapshotservice). */
const infosInMessage = 100;

/** The calls of containerd, each of which is one use case of `app`. */
export function snapshotService(store: Store, options: ServiceOptions): UntypedServiceImplementation {
  const { engine, signal } = options;
  const unary = unaryCalls(options);
  const create = (kind: 'active' | 'view') => async (request: CreateRequest) => ({
    mounts: await timed(prepareSnapshot(store, { ...request, kind, signal }, engine)),
  });
  return {
    Prepare: unary('Prepare', create('active')),
    View: unary('View', create('view')),
    Mounts: unary('Mounts', async ({ key }: KeyRequest) => ({ mounts: await snapshotMounts(store, key, engine) })),
    Commit: unary('Commit', async (request: CommitRequest) => {
      await timed(commitSnapshot(store, { ...request, signal }));
      return {};
    }),
    Remove: unary('Remove', async ({ key }: KeyRequest) => {
      await removeSnapshot(store, key);
      return {};
    }),
    Stat: unary('Stat', async ({ key }: KeyRequest) => ({ info: infoOf(await statSnapshot(store, key)) })),
    Update: unary('Update', async ({ info, update_mask }: UpdateRequest) => {
      if (info === null) throw usage('the call Update names no snapshot');
      const { name, labels } = info;
      const fields = update_mask?.paths ?? [];
      return { info: infoOf(await timed(updateSnapshot(store, { name, labels, fields }))) };
    }),
    Usage: unary('Usage', async ({ key }: KeyRequest) => snapshotUsage(store, key)),
    Cleanup: unary('Cleanup', async () => {
      await cleanUpSnapshots(store);
      return {};
    }),
    List: (call: ServerWritableStream<ListRequest, object>): void => {
      list(store, call).then(
        () => call.end(),
        (thrown: unknown) => {
          call.emit('error', failure('List', thrown, options));
        },
      );
    },
  };
}

/** A call that gives a snapshot a time: its caller compares that with its own clock, before and after the call. */
async function timed<T>(work: Promise<T>): Promise<T> {
  const result = await work;
  await nextTime();
  return result;
}

/** Calls with one request and one answer. */
function unaryCalls(options: ServiceOptions) {
  return <Request, Response>(name: string, work: (request: Request) => Promise<Response>) =>
    (call: ServerUnaryCall<Request, Response>, answer: sendUnaryData<Response>): void => {
      work(call.request).then(
        (response) => {
          answer(null, response);
        },
        (thrown: unknown) => {
          answer(failure(name, thrown, options));
        },
      );
    };
}

function failure(call: string, thrown: unknown, { onFault }: ServiceOptions): Failure {
  const { failure: sent, error } = failureOf(thrown);
  if (error.kind === 'failed' || error.kind === 'damaged') onFault(call, error);
  return sent;
}

async function list(store: Store, call: ServerWritableStream<ListRequest, object>): Promise<void> {
  const matches = parseFilters(call.request.filters);
  const found = (await listSnapshots(store)).filter(matches).map(infoOf);
  for (let at = 0; at < found.length; at += infosInMessage) call.write({ info: found.slice(at, at + infosInMessage) });
}
