import { spawn } from 'node:child_process';
import { closeSync, constants, openSync } from 'node:fs';
import { toBuffer } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { failed, messageOf } from '../base/errors.js';
import { flockSync, keepDescriptorsSync } from './native.js';
import { spawnable } from './words.js';

export interface BackgroundRequest {
  /** Like `args` the text of bytes. */
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd: string;
  /** New files that get the standard output, the standard error, and what is written to descriptor 3. */
  readonly stdout: BytePath;
  readonly stderr: BytePath;
  readonly third: BytePath;
  /** A new file that is locked as long as the program runs, also after this process has ended: see `isLocked`. */
  readonly lock: BytePath;
}

/** The descriptor that gets what is written to `third`. */
export const thirdDescriptor = 3;

/**
 * Starts a program that continues when this process ends: in a new session, with files in place of pipes. The lock
 * is a flock on a descriptor that the program inherits, so the kernel drops it when the program ends, however it ends.
 * @throws LaminaError failed: it cannot be started
 */
export async function startInBackground(request: BackgroundRequest): Promise<void> {
  const create = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_APPEND | constants.O_NOFOLLOW;
  const opened: number[] = [];
  const open = (path: BytePath) => {
    const descriptor = openSync(toBuffer(path), create, 0o600);
    opened.push(descriptor);
    return descriptor;
  };
  try {
    const [stdout, stderr, third, lock] = [request.stdout, request.stderr, request.third, request.lock].map(open);
    if (lock === undefined) throw failed('internal error: no lock was opened', { code: 'INTERNAL' });
    flockSync(lock, 'exclusive');
    keepDescriptorsSync();
    const { command, args } = spawnable(request);
    const child = spawn(command, args, {
      cwd: request.cwd,
      detached: true,
      stdio: ['ignore', stdout, stderr, third, lock],
    });
    child.unref();
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', (error) => {
        reject(failed(`cannot run '${request.command}': ${messageOf(error)}`, { cause: error }));
      });
    });
  } finally {
    for (const descriptor of opened) closeSync(descriptor);
  }
}
