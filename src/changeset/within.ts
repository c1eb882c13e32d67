import { dirname } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';

/**
 * Whether a path, or a directory above it, has a property that never changes. Remembers its answers: for all paths of a
 * tree it costs each of them one step, however deep the tree is.
 */
export class Within {
  readonly #known = new Map<BytePath, boolean>();

  constructor(readonly has: (path: BytePath) => boolean) {}

  at(path: BytePath): boolean {
    const asked: BytePath[] = [];
    let found: boolean | undefined;
    for (let at = path; found === undefined; at = dirname(at)) {
      found = this.#known.get(at);
      if (found !== undefined) break;
      asked.push(at);
      if (this.has(at)) found = true;
      else if (at === '') found = false;
    }
    for (const each of asked) this.#known.set(each, found);
    return found;
  }
}
