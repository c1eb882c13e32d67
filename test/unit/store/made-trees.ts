import { mkdirSync } from 'node:fs';
import { join, toBuffer } from '../../../src/base/bytes.js';
import type { BytePath } from '../../../src/base/bytes.js';

/** Makes trees, each in a new directory. */
export class MadeTrees {
  #made = 0;

  constructor(readonly at: (name: string) => BytePath) {}

  tree(build: (path: (name: string) => Buffer, tree: BytePath) => void): BytePath {
    const tree = this.at(`tree${String(++this.#made)}`);
    mkdirSync(toBuffer(tree));
    build((name) => toBuffer(join(tree, name)), tree);
    return tree;
  }

  /** A path for a file that belongs to the last tree. */
  beside(name: string): BytePath {
    return this.at(`${name}${String(this.#made)}`);
  }
}
