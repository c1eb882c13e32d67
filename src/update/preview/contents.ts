import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs';
import type { BytePath } from '../../base/bytes.js';
import { limits } from '../../base/limits.js';
import { attributeChanges } from '../../changeset/content-diff.js';
import { hashOf, sourceOf } from '../../changeset/index.js';
import type { Change, ContentDiff, FileContent, Resolved, View } from '../../changeset/index.js';
import { hexOfHash } from '../../platform/hash.js';
import { openFlags } from '../../platform/open-flags.js';
import { reach } from '../../store/index.js';
import { DiffThread } from './diff-thread.js';

/** A change with what differs in the file or directory. */
export interface DetailedChange extends Change {
  /** Of what is there before and after: mode, owner and the like, for people. */
  readonly attributes: readonly string[];
  /** Of a file whose content changes; undefined also where there is too much to show. */
  readonly content: ContentDiff | undefined;
}

/** A view with the directories in which its trees lie. */
export interface PlacedView {
  readonly view: View;
  /** As the view's stack. */
  readonly trees: readonly BytePath[];
}

/** Compares the contents of changed files. Many containers change alike, so each pair of files is compared once. */
export class Contents {
  readonly #known = new Map<string, ContentDiff>();
  readonly #thread = new DiffThread();
  #read = 0;

  async detail(before: PlacedView, after: PlacedView, changes: readonly Change[]): Promise<DetailedChange[]> {
    const detailed: DetailedChange[] = [];
    for (const change of changes) {
      const [a, b] = [before.view.get(change.path), after.view.get(change.path)];
      const attributes = a === undefined || b === undefined ? [] : attributeChanges(a.entry, b.entry);
      detailed.push({ ...change, attributes, content: await this.#contentOf(change.path, [before, a], [after, b]) });
    }
    return detailed;
  }

  async close(): Promise<void> {
    await this.#thread.close();
  }

  async #contentOf(path: BytePath, ...sides: readonly Side[]): Promise<ContentDiff | undefined> {
    const [before, after] = sides.map((side) => fileOf(side));
    if (before === undefined && after === undefined) return undefined;
    if (before !== undefined && after !== undefined && before.hash === after.hash) return undefined;
    const key = [path, before?.tree, before?.path, after?.tree, after?.path].join('\0');
    let known = this.#known.get(key);
    if (known === undefined && this.#read < limits.comparedTogether.value) {
      known = await this.#thread.compare({
        path,
        before: before && this.#load(before),
        after: after && this.#load(after),
      });
      this.#known.set(key, known);
    }
    return known;
  }

  #load({ tree, path, size, hash }: PlacedFile): FileContent {
    const content = { size, hash: hexOfHash(hash) };
    if (size > limits.comparedFile.value) return { ...content, bytes: undefined };
    this.#read += size;
    return { ...content, bytes: readBelow(tree, path) };
  }
}

/** Ends the thread that compares, on success and on failure. */
export async function withContents<T>(work: (contents: Contents) => Promise<T>): Promise<T> {
  const contents = new Contents();
  try {
    return await work(contents);
  } finally {
    await contents.close();
  }
}

type Side = readonly [placed: PlacedView, resolved: Resolved | undefined];

interface PlacedFile {
  readonly tree: BytePath;
  readonly path: BytePath;
  readonly size: number;
  readonly hash: bigint;
}

function fileOf([{ view, trees }, resolved]: Side): PlacedFile | undefined {
  const source = resolved && sourceOf(view, resolved.data);
  const tree = resolved?.data && trees[resolved.data.layer];
  if (resolved?.entry.type !== 'file' || source === undefined || tree === undefined) return undefined;
  return { tree, path: source.path, size: resolved.entry.size, hash: hashOf(source) ?? 0n };
}

/**
 * A regular file below a tree, never through a symlink in its last place; the listing guarantees that the directories
 * on the way are directories.
 */
function readBelow(tree: BytePath, path: BytePath): Uint8Array | undefined {
  const flags = openFlags.read;
  const descriptor = reach(tree, path, (at) => openSync(at, flags));
  try {
    const stats = fstatSync(descriptor);
    return stats.isFile() && stats.size <= limits.comparedFile.value ? readFileSync(descriptor) : undefined;
  } finally {
    closeSync(descriptor);
  }
}
