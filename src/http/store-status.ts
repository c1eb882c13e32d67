import { manifestStamp } from '../app/served.js';
import type { StatusData } from '../app/inspect.js';
import type { Store } from '../app/open-store.js';

/** Milliseconds for which mounts and running commands may be out of date; a published change is seen at once. */
const staleAfter = 1000;

interface Known {
  readonly stamp: string;
  readonly at: number;
  readonly data: Promise<StatusData>;
}

/** The status of the store: callers that ask at the same time get one answer. */
export class StoreStatus {
  #known: Known | undefined;

  constructor(readonly store: Store) {}

  async read(): Promise<StatusData> {
    const stamp = manifestStamp(this.store);
    const now = Date.now();
    if (this.#known?.stamp === stamp && now - this.#known.at < staleAfter) return this.#known.data;
    const data = this.#read();
    const known = { stamp, at: now, data };
    this.#known = known;
    data.catch(() => {
      if (this.#known === known) this.#known = undefined;
    });
    return data;
  }

  /** A mount is no change of the manifest: after one, what is known may be out of date. */
  forget(): void {
    this.#known = undefined;
  }

  async #read(): Promise<StatusData> {
    const { status } = await import('../app/inspect.js');
    return status(this.store);
  }
}
