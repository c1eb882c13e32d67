import { closeSync, fdatasync, openSync } from 'node:fs';
import { promisify } from 'node:util';
import { toBuffer } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { syncFileSystem } from './native.js';
import { openFlags } from './open-flags.js';

/** What is written between two syncs. Bytes. */
const defaultInterval = 32 << 20;

/**
 * Has what is written brought to the disk beside the writing: else the sync at the end waits for all of it. It replaces
 * none: only the one at the end makes what was written durable.
 */
export class WriteBehind {
  #since = 0;
  #underWay: Promise<void> | undefined;
  #failure: Error | undefined;

  /** @param sync brings what was written to the disk; runs on libuv's pool */
  constructor(
    readonly sync: () => Promise<void>,
    readonly interval: number = defaultInterval,
  ) {}

  /** Must be called after each write. */
  wrote(bytes: number): void {
    this.#since += bytes;
    if (this.#since < this.interval || this.#underWay !== undefined) return;
    this.#since = 0;
    this.#underWay = this.#run();
  }

  /** Must be called at the end, while the file is open. @throws as `sync`: the kernel reports an error only once */
  async end(): Promise<void> {
    await this.settle();
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** As `end`, after another failure. */
  async settle(): Promise<void> {
    while (this.#underWay !== undefined) await this.#underWay;
  }

  async #run(): Promise<void> {
    try {
      await this.sync();
    } catch (error) {
      this.#failure ??= error instanceof Error ? error : new Error(String(error));
    } finally {
      this.#underWay = undefined;
    }
  }
}

const syncData = promisify(fdatasync);

/** Of an open file. */
export const behindFile = (descriptor: number): WriteBehind => new WriteBehind(async () => syncData(descriptor));

/** Of all that is written to a directory's file system. @throws as `work`; an error of the disk */
export async function withBehindTree<T>(directory: BytePath, work: (behind: WriteBehind) => Promise<T>): Promise<T> {
  const descriptor = openSync(toBuffer(directory), openFlags.directory);
  const behind = new WriteBehind(async () => syncFileSystem(descriptor), 2 * defaultInterval);
  try {
    const result = await work(behind);
    await behind.end();
    return result;
  } finally {
    await behind.settle();
    closeSync(descriptor);
  }
}
