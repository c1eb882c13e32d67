import { closeSync, openSync, writeSync } from 'node:fs';
import { toBuffer } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';

/** Bytes of a run's output that are kept; a procedure that prints for ever must not fill the store. */
const keptBytes = 64 << 20;
const tailBytes = 8 << 10;

/** Keeps what a run prints in a file, and its last lines for an error. */
export class OutputLog {
  readonly #descriptor: number;
  #written = 0;
  #tail = Buffer.alloc(0);

  constructor(path: BytePath) {
    this.#descriptor = openSync(toBuffer(path), 'wx', 0o600);
  }

  add(chunk: Buffer): void {
    this.#tail = Buffer.concat([this.#tail, chunk]).subarray(-tailBytes);
    const room = keptBytes - this.#written;
    if (room <= 0) return;
    const kept = chunk.subarray(0, room);
    for (let at = 0; at < kept.length;) at += writeSync(this.#descriptor, kept, at);
    this.#written += kept.length;
    if (kept.length < chunk.length) writeSync(this.#descriptor, `\n[output above ${keptBytes} bytes left out]\n`);
  }

  close(): void {
    closeSync(this.#descriptor);
  }

  lastLines(count: number): string {
    return this.#tail.toString('utf8').trimEnd().split('\n').slice(-count).join('\n');
  }
}
