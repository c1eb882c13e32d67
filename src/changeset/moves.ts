import { dirname, treeRoot } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import type { Place } from './resolve.js';

/**
 * Which paths of a view redirects make of the paths of its layers. A container may have renamed each of its files, so
 * an answer costs the depth of a path, however many redirects there are.
 */
export class Moves {
  /** The paths of redirected entries, by layer and by the path that they lead to there. */
  readonly #paths = new Map<number, Map<BytePath, BytePath[]>>();

  /** @param places where the view finds what it shows at `path` */
  add(path: BytePath, places: readonly Place[]): void {
    for (const { layer, path: there } of places) {
      const ofLayer = this.#paths.get(layer) ?? new Map<BytePath, BytePath[]>();
      this.#paths.set(layer, ofLayer);
      const paths = ofLayer.get(there);
      if (paths === undefined) ofLayer.set(there, [path]);
      else paths.push(path);
    }
  }

  /** The paths at which the view may show `path` of a layer: the same, and where redirects of it, or above it, are. */
  of(layer: number, path: BytePath): Set<BytePath> {
    const candidates = new Set([path]);
    const ofLayer = this.#paths.get(layer);
    if (ofLayer === undefined) return candidates;
    for (let at = path; at !== treeRoot; at = dirname(at))
      for (const moved of ofLayer.get(at) ?? []) candidates.add((moved + path.slice(at.length)) as BytePath);
    return candidates;
  }
}
