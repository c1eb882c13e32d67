import { readFileSync, readdirSync } from 'node:fs';
import { createConnection } from 'node:net';

export const sleep = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

function ping(socket: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const connection = createConnection(socket);
    connection.on('error', reject);
    connection.on('close', () => {
      reject(new Error('closed'));
    });
    connection.on('data', (chunk: Buffer) => {
      resolve((JSON.parse(chunk.toString()) as { pid: number }).pid);
      connection.end();
    });
    connection.write('{"command":"ping"}\n');
  });
}

/** The process that answers a mount's requests now, as its control socket says; waits until one does. */
export async function workerAt(socket: string): Promise<number> {
  for (let tries = 0; tries < 1_000; ++tries) {
    const pid = await ping(socket).catch(() => 0);
    if (pid !== 0) return pid;
    await sleep(10);
  }
  throw new Error(`nobody answers at ${socket}`);
}

/** The processes of the drivers of mounts below a directory, with their parents. */
function driversBelow(directory: string): Map<number, number> {
  const drivers = new Map<number, number>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const [program = '', ...args] = readFileSync(`/proc/${name}/cmdline`, 'latin1').split('\0');
      if (!program.endsWith('laminafs') || !args.some((arg) => arg.startsWith(`${directory}/`))) continue;
      const parent = readFileSync(`/proc/${name}/stat`, 'latin1').split(') ')[1]?.split(' ')[1];
      drivers.set(Number(name), Number(parent));
    } catch {
      // It has ended meanwhile.
    }
  }
  return drivers;
}

/** The processes that answer the requests of mounts below a directory: those that their supervisors have started. */
export function workersBelow(directory: string): number[] {
  const drivers = driversBelow(directory);
  return [...drivers].filter(([, parent]) => drivers.has(parent)).map(([pid]) => pid);
}

/** Kills the drivers of mounts below a directory, the supervisors first. */
export function killDrivers(directory: string): void {
  const drivers = driversBelow(directory);
  const [workers, others] = [[], []] as [number[], number[]];
  for (const [pid, parent] of drivers) (drivers.has(parent) ? workers : others).push(pid);
  for (const pid of [...others, ...workers]) process.kill(pid, 'SIGKILL');
}
