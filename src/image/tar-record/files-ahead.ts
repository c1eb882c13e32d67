import type { BytePath } from '../../base/bytes.js';
import { ReadAhead, readAheadDistance } from '../../platform/read-ahead.js';
import type { Reach } from '../../store/index.js';

/** Brings the files of a record into memory before they are read: they are numbered in the order of the tar. */
export class FilesAhead {
  readonly #ahead = new ReadAhead();
  #next = 0;

  constructor(
    readonly reach: Reach,
    readonly files: readonly (BytePath | Buffer)[],
  ) {}

  /** Called before the file of this number is read. */
  begin(number: number): void {
    for (; this.#next < this.files.length && this.#next < number + readAheadDistance; this.#next++) {
      const file = this.files[this.#next];
      const place = file === undefined || Buffer.isBuffer(file) ? undefined : this.reach.lasting(file);
      if (place !== undefined) this.#ahead.add(place);
    }
  }
}
