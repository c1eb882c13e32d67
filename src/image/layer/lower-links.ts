import { dirname, treeRoot } from '../../base/bytes.js';
import type { BytePath } from '../../base/bytes.js';
import type { TreeWriter } from '../../store/index.js';

/** A hard link to a file of the layers below: no member before it has that name, nor a name of such a link. */
export interface LowerLink {
  readonly path: BytePath;
  readonly target: BytePath;
}

/** Such links of a layer, by their paths. Its directories count as entries, too: they take memory. */
export class LowerLinks {
  readonly #links = new Map<BytePath, LowerLink>();
  /** Of each directory the links in it, and directories with links below. Those that are gone may still be there. */
  readonly #inside = new Map<BytePath, Set<BytePath>>();

  get size(): number {
    return this.#links.size;
  }

  get(path: BytePath): LowerLink | undefined {
    return this.#links.get(path);
  }

  has(path: BytePath): boolean {
    return this.#links.has(path);
  }

  values(): Iterable<LowerLink> {
    return this.#links.values();
  }

  add(link: LowerLink, { bounds }: TreeWriter): void {
    bounds.addEntry(link.path, link.target);
    this.#links.set(link.path, link);
    for (let at = link.path; at !== treeRoot;) {
      const directory = dirname(at);
      const names = this.#inside.get(directory);
      if (names !== undefined) {
        names.add(at);
        return;
      }
      if (directory !== treeRoot) bounds.addEntry(directory);
      this.#inside.set(directory, new Set([at]));
      at = directory;
    }
  }

  /** What a member of this name replaces. @param below whether also what is below it: it is no directory */
  replace(path: BytePath, below: boolean, { bounds }: TreeWriter): void {
    if (this.#links.delete(path)) bounds.removeEntry();
    if (!below) return;
    for (const left = [path]; left.length > 0;) {
      const directory = left.pop() ?? path;
      const names = this.#inside.get(directory);
      if (names === undefined || directory === treeRoot) continue;
      this.#inside.delete(directory);
      bounds.removeEntry();
      for (const name of names) {
        if (this.#links.delete(name)) bounds.removeEntry();
        left.push(name);
      }
    }
  }
}
