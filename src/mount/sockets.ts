import { once } from 'node:events';
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { connect } from 'node:net';
import { join, toBuffer, toText } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { isSystemError } from '../base/errors.js';
import { removeDurably } from '../platform/durable.js';
import { containerOfSocket, isSocketName, namesIn } from '../store/index.js';
import type { Store } from '../store/index.js';

/** Names of the control sockets of a store without a listener: their drivers were killed. */
export async function deadSockets(store: Store): Promise<BytePath[]> {
  const dead: BytePath[] = [];
  const directory = await open(toBuffer(store.paths.mounts), constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    for (const name of namesIn(store.paths.mounts)) {
      if (isSocketName(name) && !(await listens(directory, name))) dead.push(name);
    }
  } finally {
    await directory.close();
  }
  return dead;
}

/** The containers that have a control socket, whether or not a driver listens there. */
export function containersWithSocket(store: Store): Set<string> {
  return new Set(namesIn(store.paths.mounts).flatMap((name) => containerOfSocket(toText(name)) ?? []));
}

/**
 * Removes the sockets of mounts whose driver was killed, and returns their containers. A socket under its temporary
 * name stays: a starting driver uses that name before it listens.
 */
export async function removeDeadSockets(store: Store): Promise<string[]> {
  const dead = (await deadSockets(store)).filter((name) => containerOfSocket(name) !== undefined);
  for (const name of dead) await removeDurably(join(store.paths.mounts, name));
  return dead.flatMap((name) => containerOfSocket(toText(name)) ?? []);
}

/**
 * Whether a server listens there. A path that is too long for a socket is reached through its directory, as in the
 * driver.
 */
async function listens(directory: FileHandle, name: BytePath): Promise<boolean> {
  const connection = connect(`/proc/self/fd/${directory.fd}/${toText(name)}`);
  try {
    await once(connection, 'connect');
    return true;
  } catch (error) {
    if (isSystemError(error, 'ECONNREFUSED', 'ENOENT', 'ENOTSOCK')) return false;
    throw error;
  } finally {
    connection.destroy();
  }
}
