import { failed } from '../base/errors.js';
import { afterFailure } from './nodes.js';
import type { Store } from './store.js';
import type { TransactionRecord } from './transaction-record.js';
import { Transaction } from './transaction.js';

/**
 * Runs `work` in a transaction that is discarded where it throws.
 * @param work must end the transaction
 */
export async function withTransaction<T>(
  store: Store,
  kind: string,
  work: (transaction: Transaction) => Promise<T>,
  details: TransactionRecord['details'] = {},
): Promise<T> {
  const transaction = await Transaction.begin(store, kind, details);
  try {
    const result = await work(transaction);
    if (transaction.isOpen)
      throw failed(`internal error: transaction ${transaction.id} was neither published nor discarded`, {
        code: 'INTERNAL',
      });
    return result;
  } catch (error) {
    await afterFailure(async () => {
      if (transaction.isOpen) await transaction.discard();
    });
    throw error;
  }
}
