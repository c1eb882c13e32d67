import type { LaminaError } from '../../base/errors.js';
import { isProcedureFailure } from '../../capture/index.js';
import { containerOf } from '../../manifest/index.js';
import type { EffectCommit, Manifest } from '../../manifest/index.js';
import type { Transaction } from '../../store/index.js';
import { ownTrouble } from './container-fault.js';

export interface LeaveRequest {
  readonly transaction: Transaction;
  readonly signal: AbortSignal;
  /** Whether a container in which the procedure fails is left behind too. */
  readonly onFailure?: 'abort' | 'skip' | undefined;
  /** Called for each container that is left on its old layer. */
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
   * The effect on a container that cannot be serviced because of its own content, or in which the procedure fails while
   * failures are to be skipped.
   * @throws the error itself for any other cause: then the transaction fails
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
