import { display } from '../base/bytes.js';
import { messageOf } from '../base/errors.js';
import { warn } from '../base/this-command.js';
import { own } from '../manifest/index.js';
import type { Manifest, NodeId } from '../manifest/index.js';
import { writeFileDurably } from '../platform/durable.js';
import type { Listing } from '../changeset/index.js';
import { readStoredIndex } from './node-index/reader.js';
import { upgradeIndex } from './node-index/upgrade.js';
import type { NodePaths, StorePaths } from './paths.js';

/** The most that is kept until it is written; beyond it an index is rebuilt when needed again. Bytes. */
const mostKept = 128 << 20;

/**
 * Indexes of older versions that this process has read, in the current format. Reading one means reading all contents
 * of its tree; the next change of the store writes the result.
 */
export class UpgradedIndexes {
  readonly #files = new Map<NodeId, Buffer>();
  #bytes = 0;

  /**
   * The listing of a sealed node, from an index of any version. @throws LaminaError as readStoredIndex, upgradeIndex
   */
  async listing(id: NodeId, { index, tree }: NodePaths): Promise<Listing> {
    const stored = await readStoredIndex(index);
    if (stored.version > 1) return stored.listing;
    const { file, listing } = await upgradeIndex(stored, tree);
    if (!this.#files.has(id) && this.#bytes + file.length <= mostKept) {
      this.#files.set(id, file);
      this.#bytes += file.length;
    }
    return listing;
  }

  /** Writes them. The caller holds the store's exclusive lock. Skips nodes that are gone or were unsealed. */
  async write(paths: StorePaths, manifest: Manifest): Promise<void> {
    for (const [id, file] of this.#files) {
      const { index } = paths.node(id);
      try {
        if (own(manifest.nodes, id)?.sealed !== true) continue;
        // Sealed again since, it has the current format already.
        if ((await readStoredIndex(index)).version === 1) await writeFileDurably(index, file, { mode: 0o600 });
      } catch (error) {
        warn(`${display(index)} stays in its older version: ${messageOf(error)}`);
      }
    }
    this.#files.clear();
    this.#bytes = 0;
  }
}
