import { fstatSync, writeSync } from 'node:fs';
import { isSystemError, messageOf, usage } from '../base/errors.js';
import type { Progress } from '../app/apply.js';

/** Standard streams are not for progress: their readers expect something else. */
const firstFree = 3;
/** Milliseconds between lines that count bytes. */
const pause = 100;

let descriptor: number | undefined;
let lastBytes = 0;

/**
 * Uses the descriptor of --progress-fd: from now on this process reports its progress there, one JSON object a line, as
 * docs/commands.md describes.
 * @throws LaminaError usage: no open descriptor that is free for it
 */
export function reportTo(text: string): string {
  const number = /^\d{1,7}$/.test(text) ? Number(text) : -1;
  const hint = 'open one for it in the shell: lamina --progress-fd 3 … 3>FILE';
  if (number < firstFree)
    throw usage(`--progress-fd ${text}: give the number of a descriptor, ${firstFree} or more`, { hint });
  try {
    fstatSync(number);
  } catch (error) {
    throw usage(`--progress-fd ${text}: ${messageOf(error)}`, { hint });
  }
  descriptor = number;
  return text;
}

/** The descriptor that gets the progress, for a process that continues with this command; undefined: none. */
export const progressDescriptor = (): number | undefined => descriptor;

/** @param command as in `lamina help` */
export function reportStart(command: string): void {
  report({ type: 'start', version: 1, command, process: process.pid });
}

export function reportEnd(exitCode: number): void {
  report({ type: 'end', exitCode });
}

/** What runs, and how much is done of all. */
export function reportProgress({ unit, total, done, skipped, running }: Progress): void {
  const steps = running.map(({ name, since }) => ({ name: name ?? null, since: new Date(since).toISOString() }));
  report({ type: 'progress', unit, total, done, skipped, running: steps });
}

/** Of copying and reading. Not every step: so many would only delay the work. */
export function reportBytes(task: string, bytes: number, total: number): void {
  const now = Date.now();
  if (bytes < total && now - lastBytes < pause) return;
  lastBytes = now;
  report({ type: 'bytes', task, bytes, total });
}

/** A reader that has gone is no reason to undo the work: nothing more is reported. */
function report(line: object): void {
  if (descriptor === undefined) return;
  const bytes = Buffer.from(`${JSON.stringify(line)}\n`);
  try {
    for (let at = 0; at < bytes.length;) at += writeSome(descriptor, bytes, at);
  } catch (error) {
    if (!isSystemError(error)) throw error;
    descriptor = undefined;
  }
}

function writeSome(to: number, bytes: Uint8Array, from: number): number {
  try {
    return writeSync(to, bytes, from);
  } catch (error) {
    if (!isSystemError(error, 'EAGAIN')) throw error;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    return 0;
  }
}
