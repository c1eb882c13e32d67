import { readlinkSync } from 'node:fs';
import { display, fromBuffer } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { failed } from '../base/errors.js';
import { limitNamed, limits } from '../base/limits.js';
import type { Path } from './addon.js';

/** Longest path that the kernel takes at once. */
const pathMax = 4096;

/** Ensures that the paths of a tree fit in memory. */
export class Depth {
  #deepBytes = 0;

  constructor(readonly root: Path) {}

  /** False where a path is left out. @throws LaminaError failed, TREE_TOO_DEEP */
  allows(path: BytePath, tooDeep: 'fail' | 'leave out' = 'fail'): boolean {
    if (path.length <= pathMax) return true;
    this.#deepBytes += path.length;
    const isLong = path.length > limits.pathDepth.value;
    if (!isLong && this.#deepBytes <= limits.deepPaths.value) return true;
    if (tooDeep === 'leave out') return false;
    const start = display(path.slice(0, 60));
    const limit = limitNamed(isLong ? limits.pathDepth : limits.deepPaths);
    throw failed(`${display(shownRoot(this.root))} holds paths that are too long, below /${start}…; ${limit}`, {
      code: 'TREE_TOO_DEEP',
      hint: 'move deep directories up, or remove them',
    });
  }
}

/** A directory that is held has a name that means nothing to people: its path now. */
function shownRoot(root: Path): BytePath {
  const path = typeof root === 'string' ? root : fromBuffer(root);
  const held = /^\/proc\/self\/fd\/\d+/.exec(path)?.[0];
  return held === undefined ? path : fromBuffer(readlinkSync(held, 'buffer'));
}
