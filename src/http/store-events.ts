import { randomBytes } from 'node:crypto';
import { generationOf, manifestStamp } from '../app/served.js';
import type { Store } from '../app/open-store.js';
import { messageOf } from '../base/errors.js';
import { warn } from '../base/this-command.js';
import type { JobData } from './documents.js';
import type { Stream } from './event-streams.js';
import type { Jobs } from './jobs/jobs.js';

/** Milliseconds between looks at the store. */
const pause = 500;

/**
 * Notifies readers that the store has changed, or a job. Events say what is new, not how it came: a reader that missed
 * some gets the newest one, and asks again for what it shows.
 */
export class StoreEvents {
  readonly #readers = new Set<Stream>();
  /** Of this server: its count of jobs' changes means nothing to the next one. */
  readonly #run = randomBytes(4).toString('hex');
  #changes = 0;
  #generation = 0;
  #stamp = '';
  #timer: NodeJS.Timeout | undefined;

  constructor(
    readonly store: Store,
    jobs: Jobs,
  ) {
    jobs.onChange((job) => {
      this.#changes += 1;
      this.#sendAll('job', job);
    });
  }

  /** @param last the id of the event that the reader had last */
  async add(stream: Stream, last: string | undefined): Promise<void> {
    this.#readers.add(stream);
    stream.onClose(() => {
      this.#readers.delete(stream);
      if (this.#readers.size === 0) this.close();
    });
    await this.#read();
    if (last !== this.#id()) stream.send('store', this.#id(), { generation: this.#generation });
    this.#schedule();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #id(): string {
    return `${this.#generation}-${this.#run}-${this.#changes}`;
  }

  #sendAll(event: string, data: JobData | { readonly generation: number }): void {
    for (const reader of this.#readers) reader.send(event, this.#id(), data);
  }

  #schedule(): void {
    if (this.#readers.size === 0 || this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      void this.#look();
    }, pause);
  }

  async #look(): Promise<void> {
    if (await this.#read()) this.#sendAll('store', { generation: this.#generation });
    this.#schedule();
  }

  /** Whether there is a new generation. A store that cannot be read is reported where it is asked for. */
  async #read(): Promise<boolean> {
    try {
      const stamp = manifestStamp(this.store);
      if (stamp === this.#stamp) return false;
      const generation = await generationOf(this.store);
      const isNew = generation !== this.#generation;
      this.#stamp = stamp;
      this.#generation = generation;
      return isNew;
    } catch (error) {
      warn(`cannot read the store to report its changes: ${messageOf(error)}`);
      return false;
    }
  }
}
