import type { Snapshot } from '../manifest/index.js';

/** Of an active snapshot or a view. */
export interface PrepareRequest {
  readonly kind: 'active' | 'view';
  readonly key: string;
  /** The name of a committed snapshot; '' for none. */
  readonly parent: string;
  readonly labels: Snapshot['labels'];
  readonly signal: AbortSignal;
}
