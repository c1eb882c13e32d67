import { chmodSync, lstatSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { ServerCredentials } from '@grpc/grpc-js';
import type { Server } from '@grpc/grpc-js';
import { dirname, display, fromText } from '../base/bytes.js';
import { failed, isSystemError, messageOf, refused, usage } from '../base/errors.js';
import { exposureAt, exposureOnTheWay, exposureText } from '../platform/exposure.js';
import { acquireLock } from '../platform/lock.js';

/** A socket that a server listens at. */
export interface ListeningSocket {
  /** Unless another server has put its own there. */
  remove(): void;
}

/** sockaddr_un has room for 107 bytes and the NUL (unix(7)). */
const longestAddress = 107;

/** How long another server may take to begin listening, in milliseconds. */
const beginPatience = 5_000;

/**
 * Has a server listen at a path, where only root can connect.
 * @throws LaminaError usage: no socket can be there; refused: another process listens there, the path is something
 * else's, or other users could put a socket of theirs there; failed: it cannot be made
 */
export async function listenAt(server: Server, address: string): Promise<ListeningSocket> {
  if (!address.startsWith('/') || Buffer.byteLength(address) > longestAddress)
    throw usage(`${display(fromText(address))} cannot be the address of a socket`, {
      hint: `give an absolute path of at most ${longestAddress} bytes`,
    });
  refuseExposed(address);
  // Two that start at once would each remove the socket of the other.
  const lock = await lockDirectory(address);
  try {
    await removeDead(address);
    await bind(server, address);
    chmodSync(address, 0o600);
  } finally {
    lock.release();
  }
  const { ino } = lstatSync(address);
  return {
    remove: () => {
      if (lstatSync(address, { throwIfNoEntry: false })?.ino === ino) rmSync(address, { force: true });
    },
  };
}

/**
 * containerd mounts what it is answered, as root: whoever can make a socket at the address while no snapshotter runs
 * would be root.
 */
function refuseExposed(address: string): void {
  const path = fromText(address);
  const exposed = exposureOnTheWay(path) ?? exposureAt(dirname(path));
  if (exposed === undefined || exposed.path === path) return;
  throw refused(`other users could replace the socket ${display(path)}: ${exposureText(exposed)}`, {
    code: 'SOCKET_EXPOSED',
    hint: 'choose a directory that only root may write, such as /run/lamina',
  });
}

async function lockDirectory(address: string) {
  try {
    return await acquireLock(dirname(fromText(address)), 'exclusive', { timeoutMs: beginPatience, create: false });
  } catch (error) {
    throw isSystemError(error, 'ENOENT', 'ENOTDIR') ? cannotListen(address, error) : error;
  }
}

/** Removes the socket of a server that was killed. */
async function removeDead(address: string): Promise<void> {
  const shown = display(fromText(address));
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
    throw cannotListen(address, error);
  } finally {
    process.umask(umask);
  }
}

const cannotListen = (address: string, cause: unknown) =>
  failed(`cannot listen at ${display(fromText(address))}: ${messageOf(cause)}`, {
    code: 'CANNOT_LISTEN',
    hint: 'make the directory of the socket first, or choose another address',
    cause,
  });
