import { hashSize, hexOfHash } from '../../platform/hash.js';
import { none } from './layout.js';

/** The hashes of an index: each content once, numbered from 0 in the order of the entries. */
export class HashTable {
  readonly #numbers = new Map<bigint, number>();

  /** Its number; `none` of 0n, which stands for no hash. */
  add(hash: bigint): number {
    if (hash === 0n) return none;
    let number = this.#numbers.get(hash);
    if (number === undefined) this.#numbers.set(hash, (number = this.#numbers.size));
    return number;
  }

  get count(): number {
    return this.#numbers.size;
  }

  bytes(): Buffer {
    const bytes = Buffer.alloc(this.count * hashSize);
    for (const [hash, number] of this.#numbers) bytes.write(hexOfHash(hash), number * hashSize, 'hex');
    return bytes;
  }
}
