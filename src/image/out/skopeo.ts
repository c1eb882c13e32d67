import { readFileSync } from 'node:fs';
import { failed, isSystemError } from '../../base/errors.js';
import type { LaminaError } from '../../base/errors.js';
import { runSkopeo } from '../skopeo.js';
import type { SkopeoResult } from '../skopeo.js';

export interface CopyOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called at the begin, and now and then, with the bytes that it has read so far. */
  readonly onRead?: ((bytes: number) => void) | undefined;
}

/** Milliseconds between two looks at what it has read. */
const lookEvery = 200;

/** Copies an image by skopeo. @throws LaminaError as runSkopeo */
export async function copyBySkopeo(
  from: string,
  to: string,
  { signal, onRead }: CopyOptions,
): Promise<Omit<SkopeoResult, 'output'>> {
  let timer: NodeJS.Timeout | undefined;
  const onStart = (pid: number) => {
    if (onRead === undefined) return;
    onRead(0);
    timer = setInterval(() => onRead(bytesRead(pid)), lookEvery);
  };
  try {
    return await runSkopeo(['copy', '--quiet', '--retry-times', '2', from, to], { signal, onStart });
  } finally {
    clearInterval(timer);
  }
}

/** @param where the destination, for people */
export function copyFailed(where: string, said: string): LaminaError {
  return failed(`skopeo cannot copy to ${where}: ${said}`, {
    code: 'SKOPEO_FAILED',
    hint: 'if a login is missing: skopeo login REGISTRY; certificates and mirrors: containers-registries.conf(5)',
  });
}

/** By proc_pid_io(5). */
function bytesRead(pid: number): number {
  try {
    return Number(/^rchar: (\d+)$/m.exec(readFileSync(`/proc/${pid}/io`, 'latin1'))?.[1] ?? 0);
  } catch (error) {
    // It has ended, or belongs to another user namespace: progress is shown no more.
    if (isSystemError(error, 'ENOENT', 'ESRCH', 'EACCES')) return 0;
    throw error;
  }
}
