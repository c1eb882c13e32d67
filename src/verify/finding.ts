import type { BytePath } from '../base/bytes.js';

/**
 * `damage`: something is not what it was, or is missing. `leftover`: what a crash left, or a stranger's file; nothing is lost. `remark`: a difference that
 * changes no content.
 */
export type Severity = 'damage' | 'leftover' | 'remark';

/** One thing that is not as it should be. */
export interface Fault {
  /** Stable name of what is wrong. */
  readonly code: string;
  readonly severity: Severity;
  /** What it is about: an id, a name, or a path below STORE. */
  readonly subject: string;
  /** The path in the subject's tree, for a fault within one. */
  readonly path?: BytePath;
  readonly message: string;
  /** What `--repair` would do; undefined: nothing, for it would lose something or cannot be known. */
  readonly repair?: string;
}

/** A fault that goes by taking something away that the next change of the store does not clear away by itself. */
export interface Removable extends Fault {
  readonly mountpoint?: BytePath;
  readonly file?: BytePath;
}

/** What becomes of a fault in the report. */
export interface Finding extends Fault {
  /** Names of the containers whose roots hold the node. */
  readonly containers: readonly string[];
  /** Names of the updates that the node is of, and those merged into it. */
  readonly updates: readonly string[];
  readonly repaired: boolean;
}
