import { display } from '../base/bytes.js';
import { limitNamed } from '../base/limits.js';
import type { Limit } from '../base/limits.js';

/** What three versions of a file become. */
export type RecordMerge =
  /** `then`: what must follow in the root. */
  | { readonly kind: 'merged'; readonly content: Uint8Array; readonly then?: Remaking }
  | RecordConflict
  /** The container's stays: a log of its own, or a copy that its tools keep. */
  | { readonly kind: 'own' }
  /** A cache: the container's stays until the program has made it again. */
  | { readonly kind: 'made'; readonly then: Remaking };

export interface RecordConflict {
  readonly kind: 'conflict';
  readonly reason: string;
  /** Whether a root without either side's records contradicts itself: accounts, and databases of packages. */
  readonly isBlocking: boolean;
}

/** A program of the root that makes again what it alone writes. */
export type Remaking = { readonly by: 'ldconfig' } | { readonly by: 'update-alternatives'; readonly name: string };

/** Three versions of a file. */
export interface Versions {
  /** Undefined: there was none. */
  readonly base: Uint8Array | undefined;
  readonly ours: Uint8Array;
  readonly theirs: Uint8Array;
}

/** The two sides changed the same record differently. The message is a reason, for people. */
export class Clash extends Error {}

/** A file is not in the format that its name promises: it is merged by lines. */
export class OtherFormat extends Error {}

/** A file is beyond a limit, whatever its format. */
export class TooLarge extends OtherFormat {
  constructor(readonly limit: Limit) {
    super(limitNamed(limit));
  }
}

/** Text of a container, for a message. One character a byte. */
export const quoted = (text: string): string => `'${display(text.slice(0, 100))}'`;
