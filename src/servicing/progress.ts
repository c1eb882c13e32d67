import type { Outcome } from '../manifest/index.js';

/** How far an update has come with the containers, after its run on the base. */
export interface Progress {
  readonly total: number;
  /** Finished, the skipped ones among them. */
  readonly done: number;
  readonly skipped: number;
  /** Names of those that are being serviced. */
  readonly running: readonly string[];
}

/** Counts containers, and tells of each step. */
export class ProgressCount {
  readonly #running = new Set<string>();
  #total = 0;
  #done = 0;
  #skipped = 0;

  constructor(readonly tell: (progress: Progress) => void = () => undefined) {}

  expect(containers: number): void {
    this.#total += containers;
    this.#tell();
  }

  start(container: string): void {
    this.#running.add(container);
    this.#tell();
  }

  end(container: string, outcome: Outcome): void {
    this.#running.delete(container);
    this.#done += 1;
    if (outcome === 'skipped') this.#skipped += 1;
    this.#tell();
  }

  #tell(): void {
    this.tell({ total: this.#total, done: this.#done, skipped: this.#skipped, running: [...this.#running] });
  }
}
