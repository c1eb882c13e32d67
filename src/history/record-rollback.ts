import { isoNow } from '../base/time.js';
import { updateOf } from '../manifest/index.js';
import type { Manifest, UpdateId } from '../manifest/index.js';
import { stagePastRecord } from '../store/index.js';
import type { PastUpdate, Transaction } from '../store/index.js';

interface RollbackIntent {
  readonly discard?: boolean | undefined;
  /** The update whose rollback was requested: others are above it. */
  readonly wanted: string;
}

/** Stages the record of an update that is rolled back as a whole: it is published with the rollback. */
export function stageRolledBack(
  transaction: Transaction,
  manifest: Manifest,
  id: UpdateId,
  intent: RollbackIntent,
): void {
  const { name, base, created, procedure, version, description, effects } = updateOf(manifest, id);
  stagePastRecord(transaction.stagePast(id), {
    ...howOf(name, intent),
    version: 1,
    update: id,
    name,
    base,
    created,
    ended: isoNow(),
    procedure,
    to: version,
    description,
    containers: effects.map(({ container, outcome }) => ({ container, outcome, failure: null })),
  });
}

function howOf(name: string, { discard, wanted }: RollbackIntent): Pick<PastUpdate, 'state' | 'cause' | 'reason'> {
  const why = name === wanted ? 'rolled back' : `rolled back with the older update '${wanted}', on which it was built`;
  return discard === true
    ? { state: 'discarded', cause: 'discard', reason: `${why}; what was written since was dropped` }
    : { state: 'rolled-back', cause: 'rollback', reason: why };
}
