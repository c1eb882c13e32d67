import { closeSync, openSync, writeSync } from 'node:fs';
import { toBuffer } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { failed, messageOf } from '../base/errors.js';
import { limitNamed, limits } from '../base/limits.js';
import { stagedStep } from '../platform/durable.js';

/** A procedure that prints without end must not fill the store. */
const keptBytes = limits.output.value;
const tailBytes = 8 << 10;

/** Keeps what a run prints in a file, and its last lines for an error. */
export class OutputLog {
  readonly #path: BytePath;
  readonly #descriptor: number;
  #written = 0;
  #isFull = false;
  #tail = Buffer.alloc(0);
  #failure: unknown;

  constructor(path: BytePath) {
    this.#path = path;
    stagedStep(path);
    this.#descriptor = openSync(toBuffer(path), 'wx', 0o600);
  }

  /** Never throws, because no caller could catch it: `check` reports the error. */
  add(chunk: Buffer): void {
    this.#tail = Buffer.concat([this.#tail, chunk]).subarray(-tailBytes);
    if (this.#isFull || this.#failure !== undefined) return;
    try {
      this.#keep(chunk);
    } catch (error) {
      this.#failure = error;
    }
  }

  #keep(chunk: Buffer): void {
    stagedStep(this.#path);
    const kept = chunk.subarray(0, keptBytes - this.#written);
    for (let at = 0; at < kept.length;) at += writeSync(this.#descriptor, kept, at);
    this.#written += kept.length;
    if (kept.length === chunk.length) return;
    this.#isFull = true;
    writeSync(this.#descriptor, `\n[output omitted; ${limitNamed(limits.output)}]\n`);
  }

  /** @throws LaminaError failed where some of the output could not be kept */
  check(): void {
    if (this.#failure === undefined) return;
    throw failed(`the output of the procedure cannot be kept: ${messageOf(this.#failure)}`, { cause: this.#failure });
  }

  close(): void {
    closeSync(this.#descriptor);
  }

  lastLines(count: number): string {
    return this.#tail.toString('utf8').trimEnd().split('\n').slice(-count).join('\n');
  }
}
