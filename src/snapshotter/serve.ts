import { Server, loadPackageDefinition } from '@grpc/grpc-js';
import type { GrpcObject, ServiceClientConstructor } from '@grpc/grpc-js';
import { fromJSON } from '@grpc/proto-loader';
import { checkSnapshotter } from '../app/snapshots.js';
import type { Store } from '../app/open-store.js';
import { must } from '../base/errors.js';
import { listenAt } from './address.js';
import { descriptor, serviceName } from './descriptor.js';
import { snapshotService } from './service.js';
import type { ServiceOptions } from './service.js';

export interface ServeOptions extends ServiceOptions {
  /** Of the socket: an absolute path. */
  readonly address: string;
  /** Called when it accepts calls. */
  readonly onReady: () => void;
}

/** How long calls that run may take to end once the server is to stop, in milliseconds. */
const endPatience = 5_000;

/**
 * Serves containerd until `signal` is aborted; then ends the calls that run, and removes the socket. Only root can
 * connect.
 * @throws LaminaError refused: another process listens there, the path is something else's, or other users could put a
 * socket of theirs there; as `checkSnapshotter`
 */
export async function serveSnapshots(store: Store, options: ServeOptions): Promise<void> {
  const { address, signal, onReady } = options;
  await checkSnapshotter(store);
  const server = new Server();
  server.addService(serviceDefinition().service, snapshotService(store, options));
  const socket = await listenAt(server, address);
  try {
    onReady();
    await aborted(signal);
  } finally {
    await stop(server);
    socket.remove();
  }
}

/** What a client is made from, too. */
export function serviceDefinition(): ServiceClientConstructor {
  const loaded = fromJSON(descriptor, { keepCase: true, longs: Number, defaults: true });
  const found = serviceName
    .split('.')
    .reduce<GrpcObject>((at, name) => at[name] as GrpcObject, loadPackageDefinition(loaded));
  return must(found as unknown as ServiceClientConstructor, 'the definition of the service');
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => {
    signal.addEventListener('abort', () => {
      resolve();
    });
  });
}

async function stop(server: Server): Promise<void> {
  const force = setTimeout(() => {
    server.forceShutdown();
  }, endPatience);
  await new Promise<void>((resolve) => {
    server.tryShutdown(() => {
      resolve();
    });
  });
  clearTimeout(force);
}
