import type { LaminaError } from '../base/errors.js';
import { containerOf } from '../manifest/index.js';
import type { EffectCommit, Manifest } from '../manifest/index.js';
import type { Transaction } from '../store/index.js';
import { ownTrouble } from './own-trouble.js';
import { isProcedureFailure } from './run.js';

export interface LeaveRequest {
  readonly transaction: Transaction;
  readonly signal: AbortSignal;
  /** Of a procedure that fails in a container: whether that one is left, too. */
  readonly onFailure?: 'abort' | 'skip' | undefined;
  /** Told of each container that is left on its old layer. */
  readonly onFailed?: ((container: string, error: LaminaError) => void) | undefined;
}

/** The containers that an update leaves on their old layer, so that the others get it. */
export class LeftBehind {
  readonly #reasons = new Map<string, string>();

  constructor(readonly request: LeaveRequest) {}

  /** By container, for the report of the update. */
  get reasons(): Readonly<Record<string, string>> {
    return Object.fromEntries(this.#reasons);
  }

  /**
   * The effect on a container whose own content is why it cannot be serviced, or whose procedure fails where that is no reason to discard the update.
   * @throws the error itself, where another is the reason: then it is the transaction's
   */
  leave(manifest: Manifest, container: string, error: unknown): EffectCommit {
    const { transaction, signal, onFailure, onFailed } = this.request;
    const own = ownTrouble(error) ?? (onFailure === 'skip' && isProcedureFailure(error) ? error : undefined);
    if (signal.aborted || own === undefined) throw error;
    transaction.leaveUnsealed(containerOf(manifest, container).storage);
    this.#reasons.set(container, own.message);
    onFailed?.(container, own);
    return { container, outcome: 'failed', delta: null, sealed: null, top: null };
  }
}
