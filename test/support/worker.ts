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
