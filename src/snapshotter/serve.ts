import { chmodSync, lstatSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { Server, ServerCredentials, loadPackageDefinition } from '@grpc/grpc-js';
import type { GrpcObject, ServiceClientConstructor } from '@grpc/grpc-js';
import { fromJSON } from '@grpc/proto-loader';
import { checkSnapshotter } from '../app/snapshots.js';
import type { Store } from '../app/open-store.js';
import { display, fromText } from '../base/bytes.js';
import { failed, isSystemError, messageOf, must, refused, usage } from '../base/errors.js';
import { descriptor, serviceName } from './descriptor.js';
import { snapshotService } from './service.js';
import type { ServiceOptions } from './service.js';

export interface ServeOptions extends ServiceOptions {
  /** Of the socket: an absolute path. */
  readonly address: string;
  /** Called when it accepts calls. */
  readonly onReady: () => void;
}

/** sockaddr_un has room for 107 bytes and the NUL (unix(7)). */
const longestAddress = 107;

/** How long calls that run may take to end once the server is to stop, in milliseconds. */
const endPatience = 5_000;

/**
 * Serves containerd until `signal` is aborted; then ends the calls that run, and removes the socket. Only root can
 * connect.
 * @throws LaminaError refused: another process listens there, or the path is something else's; as `checkSnapshotter`
 */
export async function serveSnapshots(store: Store, options: ServeOptions): Promise<void> {
  const { address, signal, onReady } = options;
  await checkSnapshotter(store);
  await freeAddress(address);
  const server = new Server();
  server.addService(serviceDefinition().service, snapshotService(store, options));
  await bind(server, address);
  try {
    chmodSync(address, 0o600);
    onReady();
    await aborted(signal);
  } finally {
    await stop(server);
    rmSync(address, { force: true });
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

/** Removes the socket of a server that was killed. */
async function freeAddress(address: string): Promise<void> {
  const shown = display(fromText(address));
  if (!address.startsWith('/') || Buffer.byteLength(address) > longestAddress)
    throw usage(`${shown} cannot be the address of a socket`, {
      hint: `give an absolute path of at most ${longestAddress} bytes`,
    });
  const found = lstatSync(address, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (!found.isSocket())
    throw refused(`${shown} exists and is not a socket`, { code: 'ADDRESS_IN_USE', hint: 'choose another address' });
  if (await isListening(address))
    throw refused(`another process listens at ${shown}`, {
      code: 'ADDRESS_IN_USE',
      hint: 'stop that process first, or choose another address',
    });
  rmSync(address);
}

async function isListening(address: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = connect(address);
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', (error) => {
      if (isSystemError(error, 'ECONNREFUSED', 'ENOENT')) resolve(false);
      else reject(error);
    });
  });
}

async function bind(server: Server, address: string): Promise<void> {
  // The socket is never open to others, not even before its mode is set.
  const umask = process.umask(0o177);
  try {
    await new Promise<void>((resolve, reject) => {
      server.bindAsync(`unix://${address}`, ServerCredentials.createInsecure(), (error) => {
        if (error === null) resolve();
        else reject(error);
      });
    });
  } catch (error) {
    throw failed(`cannot listen at ${display(fromText(address))}: ${messageOf(error)}`, {
      code: 'CANNOT_LISTEN',
      hint: 'make the directory of the socket first, or choose another address',
      cause: error,
    });
  } finally {
    process.umask(umask);
  }
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
