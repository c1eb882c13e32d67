import type { ProgressUnit } from '../base/steps.js';
import type { Outcome } from '../manifest/index.js';

/** The progress of an update, and of other long work. */
export interface Progress {
  readonly unit: ProgressUnit;
  readonly total: number;
  /** Finished, the skipped ones among them. */
  readonly done: number;
  readonly skipped: number;
  /** What is being worked on, the oldest first. */
  readonly running: readonly Step[];
  /** Of an image that is fetched and read. */
  readonly read?: Reading | undefined;
}

/** Bytes that were fetched and read, of all that must be. */
export interface Reading {
  readonly bytes: number;
  readonly total: number;
  /** When it began, as `Date.now()`. */
  readonly since: number;
}

interface Step {
  /** Undefined: the base. */
  readonly name: string | undefined;
  /** As `Date.now()`. */
  readonly since: number;
}

/** Counts what is done, and reports each step. */
export class ProgressCount {
  readonly #running = new Map<string | undefined, number>();
  #total = 0;
  #done = 0;
  #skipped = 0;
  #read: Reading | undefined;

  constructor(
    readonly unit: Progress['unit'],
    readonly report: (progress: Progress) => void = () => undefined,
  ) {}

  expect(more: number): void {
    this.#total += more;
    this.#report();
  }

  /** Work on the base, which is not counted. */
  async onBase<T>(work: () => Promise<T>): Promise<T> {
    this.start(undefined);
    try {
      return await work();
    } finally {
      this.#running.delete(undefined);
      this.#read = undefined;
      this.#report();
    }
  }

  /** How far the image is read that the base becomes. */
  readonly onRead = ({ bytes, total }: { readonly bytes: number; readonly total: number | undefined }): void => {
    if (total === undefined) return;
    this.#read = { bytes, total, since: this.#read?.since ?? Date.now() };
    this.#report();
  };

  start(name: string | undefined): void {
    this.#running.set(name, Date.now());
    this.#report();
  }

  end(name: string, outcome: Outcome): void {
    this.#running.delete(name);
    this.#done += 1;
    if (outcome === 'skipped') this.#skipped += 1;
    this.#report();
  }

  #report(): void {
    const running = [...this.#running].map(([name, since]) => ({ name, since }));
    const counts = { unit: this.unit, total: this.#total, done: this.#done, skipped: this.#skipped };
    this.report({ ...counts, running, read: this.#read });
  }
}
