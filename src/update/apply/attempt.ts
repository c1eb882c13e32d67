import { messageOf } from '../../base/errors.js';
import { isoNow } from '../../base/time.js';
import { isProcedureFailure } from '../../capture/index.js';
import { own } from '../../manifest/index.js';
import type { Procedure } from '../../package/index.js';
import { writeFileDurably } from '../../platform/durable.js';
import { endedNow, keepEnded, tryToKeep } from '../../store/index.js';
import type { Attempt, PastUpdate, Transaction } from '../../store/index.js';
import { Unhealthy } from '../health.js';

/**
 * Makes an update. On failure, the update is recorded with its procedure and the reason before the error is rethrown;
 * if the process is killed, the next change of the store records it.
 */
export async function onRecord<T>(
  transaction: Transaction,
  { attempt, signal }: { readonly attempt: Attempt; readonly signal: AbortSignal },
  work: () => Promise<T>,
): Promise<T> {
  const { store, paths } = transaction;
  await writeFileDurably(paths.attempt, `${JSON.stringify(attempt)}\n`);
  try {
    return await work();
  } catch (error) {
    const reached = error instanceof Unhealthy ? { ...attempt, containers: error.containers } : attempt;
    const past = endedNow(reached, { state: 'failed', cause: causeOf(error, signal), reason: messageOf(error) });
    await tryToKeep(`update '${attempt.name}'`, async () =>
      store.change(async (manifest) => {
        // An update that was published despite the error did not fail.
        if (own(manifest.updates, attempt.update) === undefined) await keepEnded(store.paths, manifest, paths, past);
      }),
    );
    throw error;
  }
}

/** An update as it begins. */
export function attemptOf(begun: {
  readonly id: string;
  readonly name: string;
  readonly base: string;
  readonly procedure: Pick<Procedure, 'to' | 'description'>;
  readonly stored: Attempt['procedure'];
  readonly containers: readonly string[];
}): Attempt {
  const { id, name, base, procedure, stored } = begun;
  const { to, description } = procedure;
  const containers = begun.containers.map((container) => ({ container, outcome: null, failure: null }));
  return { version: 1, update: id, name, base, created: isoNow(), procedure: stored, to, description, containers };
}

function causeOf(error: unknown, signal: AbortSignal): PastUpdate['cause'] {
  if (signal.aborted) return 'interrupted';
  if (isProcedureFailure(error)) return 'procedure';
  return error instanceof Unhealthy ? 'health' : 'error';
}
