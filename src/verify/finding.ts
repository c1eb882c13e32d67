import type { BytePath } from '../base/bytes.js';

/**
 * `damage`: something changed or is missing. `leftover`: what a crash left, or a foreign file; nothing is lost.
 * `remark`: a difference that changes no content.
 */
export type Severity = 'damage' | 'leftover' | 'remark';

/** One fault. */
export interface Fault {
  /** Stable name of the kind of fault. */
  readonly code: string;
  readonly severity: Severity;
  /** What it is about: an id, a name, or a path below STORE. */
  readonly subject: string;
  /** The path in the subject's tree, for a fault within one. */
  readonly path?: BytePath;
  readonly message: string;
  /** What `--repair` would do; undefined: nothing, because a repair would lose something or is not known. */
  readonly repair?: string;
}

/** A fault that is repaired by a removal that the next change of the store does not make by itself. */
export interface Removable extends Fault {
  readonly mountpoint?: BytePath;
  readonly file?: BytePath;
}

/** A fault as it is reported. */
export interface Finding extends Fault {
  /** Names of the containers whose roots hold the node. */
  readonly containers: readonly string[];
  /** Names of the updates that made the node, and those merged into it. */
  readonly updates: readonly string[];
  readonly repaired: boolean;
}
