import { closeSync, constants, openSync } from 'node:fs';
import { createConnection } from 'node:net';
import { basename, dirname, toBuffer, toText } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { isSystemError } from '../base/errors.js';

/** What a driver says of itself (docs/format.md, "Control socket"). Its process is numbered as in its own PID namespace. */
export interface DriverAnswer {
  readonly pid: number;
  readonly mountpoint: string;
}

/** Milliseconds. */
const patience = 2_000;

/** Asks the driver at a control socket; undefined where none answers. */
export async function pingDriver(socket: BytePath): Promise<DriverAnswer | undefined> {
  let directory: number;
  try {
    directory = openSync(toBuffer(dirname(socket)), constants.O_RDONLY | constants.O_DIRECTORY);
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return undefined;
    throw error;
  }
  try {
    // A socket's own path has 107 bytes only (unix(7)).
    return await ping(`/proc/self/fd/${directory}/${toText(basename(socket))}`);
  } finally {
    closeSync(directory);
  }
}

async function ping(path: string): Promise<DriverAnswer | undefined> {
  return new Promise((resolve, reject) => {
    const connection = createConnection(path);
    let said = '';
    connection.setTimeout(patience, () => connection.destroy());
    connection.on('error', (error) => {
      if (isSystemError(error, 'ENOENT', 'ECONNREFUSED', 'ECONNRESET', 'EPIPE')) resolve(undefined);
      else reject(error);
    });
    connection.on('close', () => {
      resolve(answerOf(said));
    });
    connection.on('data', (chunk: Buffer) => {
      said += chunk.toString('utf8');
      if (said.includes('\n')) connection.end();
    });
    connection.write('{"command":"ping"}\n');
  });
}

/** Of a driver that dies the answer may be cut short. */
function answerOf(said: string): DriverAnswer | undefined {
  return said.endsWith('\n') ? (JSON.parse(said) as DriverAnswer) : undefined;
}
