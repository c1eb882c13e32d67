import { spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from './exports.js';

export interface Nginx {
  readonly url: string;
  /** `PATH STATUS BYTES` of each request since the last call, headers counted. */
  takeLog(): string[];
  /** The same, when there are so many. */
  waitForLog(count: number): Promise<string[]>;
  readonly stop: () => void;
}

const attempts = 10;

/** Debian's nginx on the loopback, which serves a directory as it is. @param directory for its own files */
export async function startNginx(directory: string, served: string): Promise<Nginx> {
  // It cannot choose a port by itself, and another program may take one that was free.
  for (let attempt = 1; ; attempt++) {
    const started = await startAt(await freePort(), directory, served);
    if (started !== undefined) return started;
    if (attempt === attempts) throw new Error(`nginx ended: ${readFileSync(join(directory, 'error.log'), 'utf8')}`);
  }
}

/** Undefined: it ended at once. */
async function startAt(port: number, directory: string, served: string): Promise<Nginx | undefined> {
  const log = join(directory, 'access.log');
  const configuration = `
daemon off; master_process off; pid ${directory}/pid; error_log ${directory}/error.log;
events {}
http {
  log_format plain '$uri $status $bytes_sent';
  access_log ${log} plain;
  ${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${directory}/${name};`).join(' ')}
  server { listen 127.0.0.1:${port}; root ${served}; }
}`;
  const file = join(directory, 'nginx.conf');
  writeFileSync(file, configuration);
  writeFileSync(log, '');
  const child = spawn('nginx', ['-c', file, '-p', directory], { stdio: 'ignore' });
  const url = `http://127.0.0.1:${port}`;
  while (!(await answers(url)) || !existsSync(join(directory, 'pid'))) {
    if (child.exitCode !== null) return undefined;
    await sleep(10);
  }
  let read = 0;
  const lines = () => readFileSync(log, 'utf8').split('\n').slice(0, -1);
  const takeLog = () => {
    const taken = lines().slice(read);
    read += taken.length;
    return taken;
  };
  const waitForLog = async (count: number) => {
    while (lines().length < read + count) await sleep(10);
    return takeLog();
  };
  return { url, takeLog, waitForLog, stop: () => void child.kill() };
}

async function answers(url: string): Promise<boolean> {
  try {
    await (await fetch(url)).arrayBuffer();
    return true;
  } catch {
    return false;
  }
}
