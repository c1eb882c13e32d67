import { closeSync, constants, openSync } from 'node:fs';
import { createConnection } from 'node:net';
import { basename, dirname, display, isBytesText, toBuffer, toText } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { failed, isSystemError } from '../base/errors.js';

/**
 * The state that a driver reports (docs/format-driver.md, "Control socket"). Its process is numbered as in its own PID
 * namespace.
 */
export interface DriverAnswer {
  readonly pid: number;
  readonly mountpoint: string;
}

/** Milliseconds. */
const patience = 2_000;
/** A mount point, each byte of it escaped, and a few words. Characters. */
const longestAnswer = 1 << 20;

/**
 * Queries the driver at a control socket; undefined where none answers.
 * @throws LaminaError failed: what answers is not a driver
 */
export async function pingDriver(socket: BytePath): Promise<DriverAnswer | undefined> {
  return query(socket, 'ping', isAnswer);
}

/** Counts since the driver started (docs/format-driver.md, "Control socket"). */
export const countNames = ['messages', 'copyUps', 'copyUpBytes', 'bytesRead', 'bytesWritten', 'inodes'] as const;
export type DriverCounts = Readonly<Record<(typeof countNames)[number], number>>;

/** The counts of the driver at a control socket. As `pingDriver`. */
export async function driverCounts(socket: BytePath): Promise<DriverCounts | undefined> {
  return query(socket, 'statistics', isCounts);
}

async function query<T>(
  socket: BytePath,
  command: string,
  isWanted: (value: unknown) => value is T,
): Promise<T | undefined> {
  let directory: number;
  try {
    directory = openSync(toBuffer(dirname(socket)), constants.O_RDONLY | constants.O_DIRECTORY);
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return undefined;
    throw error;
  }
  try {
    // A socket's own path has 107 bytes only (unix(7)).
    const path = `/proc/self/fd/${directory}/${toText(basename(socket))}`;
    return answerOf(await ask(path, command), socket, isWanted);
  } finally {
    closeSync(directory);
  }
}

/** The answer; '' where nothing listens. */
async function ask(path: string, command: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const connection = createConnection(path);
    let said = '';
    connection.setTimeout(patience, () => connection.destroy());
    connection.on('error', (error) => {
      if (isSystemError(error, 'ENOENT', 'ECONNREFUSED', 'ECONNRESET', 'EPIPE')) resolve('');
      else reject(error);
    });
    connection.on('close', () => {
      resolve(said);
    });
    connection.on('data', (chunk: Buffer) => {
      said += chunk.toString('utf8');
      if (said.includes('\n') || said.length > longestAnswer) connection.destroy();
    });
    connection.write(`${JSON.stringify({ command })}\n`);
  });
}

/** The answer of a driver that dies may be cut short. */
function answerOf<T>(said: string, socket: BytePath, isWanted: (value: unknown) => value is T): T | undefined {
  const [line = '', ...others] = said.split('\n');
  if (others.length === 0 && said.length <= longestAnswer) return undefined;
  let cause: unknown;
  try {
    const value: unknown = JSON.parse(line);
    if (isWanted(value)) return value;
  } catch (error) {
    cause = error;
  }
  throw failed(`the process that listens at ${display(socket)} does not answer like a driver of Lamina`, {
    code: 'BAD_ANSWER',
    hint: 'end the process that listens there',
    cause,
  });
}

function isAnswer(value: unknown): value is DriverAnswer {
  if (typeof value !== 'object' || value === null) return false;
  const { pid, mountpoint } = value as Record<string, unknown>;
  return Number.isInteger(pid) && typeof mountpoint === 'string' && isBytesText(mountpoint);
}

function isCounts(value: unknown): value is DriverCounts {
  if (typeof value !== 'object' || value === null) return false;
  const counts = value as Record<string, unknown>;
  return countNames.every((name) => typeof counts[name] === 'number');
}
