import type { LaminaError } from '../../base/errors.js';
import { isProcedureFailure } from '../../capture/index.js';
import { containerOf } from '../../manifest/index.js';
import type { EffectCommit, Manifest } from '../../manifest/index.js';
import type { Transaction } from '../../store/index.js';
import { containerFault, isRecordConflict } from './container-fault.js';

export interface FailureOptions {
  readonly transaction: Transaction;
  readonly signal: AbortSignal;
  /** Whether a container in which the procedure fails stays on its old layer too. */
  readonly onFailure?: 'abort' | 'skip' | undefined;
  /** Called for each container that stays on its old layer. */
  readonly onFailed?: ((container: string, error: LaminaError) => void) | undefined;
}

/** The containers that stay on their old layer because the update failed in them, so that the others get it. */
export class FailedContainers {
  readonly #reasons = new Map<string, string>();

  constructor(readonly request: FailureOptions) {}

  /** By container, for the report of the update. */
  get reasons(): Readonly<Record<string, string>> {
    return Object.fromEntries(this.#reasons);
  }

  /**
   * The effect on a container that cannot be serviced because of its own content, or in which the procedure fails while
   * failures are to be skipped.
   * @throws the error itself for any other cause: then the transaction fails
   */
  add(manifest: Manifest, container: string, error: unknown): EffectCommit {
    const { transaction, signal, onFailure, onFailed } = this.request;
    const mayStay = isProcedureFailure(error) || isRecordConflict(error);
    const fault = containerFault(error) ?? (onFailure === 'skip' && mayStay ? error : undefined);
    if (signal.aborted || fault === undefined) throw error;
    transaction.leaveUnsealed(containerOf(manifest, container).storage);
    this.#reasons.set(container, fault.message);
    onFailed?.(container, fault);
    return { container, outcome: 'failed', delta: null, sealed: null, top: null };
  }
}
