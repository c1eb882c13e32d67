import { constants } from 'node:fs';
import { display } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import type { Listing, View } from '../changeset/index.js';
import { listingOf, refuseOwnPlace, scanTree, withImportSource } from '../store/index.js';
import type { ImportOptions, ImportSource, Transaction } from '../store/index.js';
import { withLxcRoot } from './lxc.js';
import { refuseMountsBelow } from './mounts-below.js';
import type { Place } from './place.js';
import { withPodmanRoot } from './podman.js';
import { readTree } from './read-tree.js';
import type { TreeReading } from './read-tree.js';
import type { RootName } from './root-name.js';

export type RootOptions = Pick<ImportOptions, 'signal' | 'onProgress' | 'maxBytes'>;

/** A root that was read. */
export interface ReadRoot {
  readonly listing: Listing;
  /** Where its content is. */
  readonly tree: BytePath;
  /** Whether that is a copy in the transaction, of which files may be taken away. */
  readonly isCopy: boolean;
  readonly sockets: number;
  /**
   * Must be called once its content was copied. @throws LaminaError refused: the root has changed since it was read, or
   * its container runs
   */
  readonly end: () => Promise<void>;
}

/** Holds a root for `work`, and changes nothing in it. @throws LaminaError as the places that it may be in */
export async function withRoot<T>(
  name: RootName,
  options: RootOptions,
  work: (root: HeldRoot) => Promise<T>,
): Promise<T> {
  return withPlace(name, options, async (place) =>
    withImportSource(place.at, { ...options, calledAs: place.called, allowEmpty: true }, async (source) =>
      work(new HeldRoot(place, source, options)),
    ),
  );
}

async function withPlace<T>(name: RootName, options: RootOptions, work: (place: Place) => Promise<T>): Promise<T> {
  switch (name.kind) {
    case 'podman':
      return withPodmanRoot(name.container, options.signal, work);
    case 'lxc':
      return withLxcRoot(name, work);
    case 'path':
      return work({ at: name.path, called: display(name.path), check: () => Promise.resolve() });
  }
}

export class HeldRoot {
  constructor(
    readonly place: Place,
    readonly source: ImportSource,
    readonly options: RootOptions,
  ) {}

  get called(): string {
    return this.place.called;
  }

  /** @throws LaminaError refused: it runs, holds mounts, or is an image */
  async check(): Promise<void> {
    await this.place.check();
    this.source.check();
    if (this.source.isDirectory) await refuseMountsBelow(this.place.directories ?? [this.source.at], this.called);
  }

  /** @param base with which it will be compared @throws LaminaError as `check` and `readTree` */
  async read(base: View, transaction: Transaction): Promise<ReadRoot> {
    await this.check();
    const { at, isDirectory } = this.source;
    if (!isDirectory) return this.#copied(transaction);
    refuseOwnPlace(at, transaction.paths.directory, this.called);
    const reading = await readTree(at, base, { called: this.called, ...this.options });
    if (reading.holdsWhiteouts) return this.#copied(transaction, reading);
    const end = async () => this.#unchanged(reading);
    return { listing: reading.listing, tree: at, isCopy: false, sockets: reading.sockets, end };
  }

  async #copied(transaction: Transaction, reading?: TreeReading): Promise<ReadRoot> {
    const { id, tree } = transaction.stage('storage');
    const hashes = await this.source.write(tree);
    const { signal } = this.options;
    const entries = await scanTree(tree, { hash: true, signal, known: (path) => hashes.get(path) });
    const listed = entries.filter(({ stats }) => (Number(stats.mode) & constants.S_IFMT) !== constants.S_IFSOCK);
    const end = async () => {
      await transaction.unstage(id);
      if (reading !== undefined) await this.#unchanged(reading);
    };
    return { listing: listingOf(listed), tree, isCopy: true, sockets: entries.length - listed.length, end };
  }

  async #unchanged({ seen }: TreeReading): Promise<void> {
    await this.check();
    seen.check(this.source.at);
  }
}
