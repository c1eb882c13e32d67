import * as z from 'zod';
import { updateReport } from '../fleet/index.js';
import { writeFileDurably } from '../platform/durable.js';
import { readJsonRecordSync } from '../store/index.js';
import type { FollowPaths } from '../store/index.js';

const outcome = z
  .strictObject({
    ...updateReport.unwrap().shape,
    /** The update in the store; null: it does not exist. */
    update: z.string().nullable(),
    /** Of a failure: whether the next poll tries it again, as nothing about the update itself was wrong. */
    again: z.boolean(),
    /** The version of the channel by which it was tried. */
    channel: z.int().nonnegative(),
  })
  .readonly();

const undoing = z
  .strictObject({
    sequence: z.int().positive(),
    /** The update in the store that is rolled back, and those that are rolled back with it. */
    update: z.string(),
    newer: z.array(z.string()).readonly(),
    started: z.iso.datetime(),
  })
  .readonly();

const schema = z
  .strictObject({
    version: z.literal(1),
    outcomes: z.array(outcome).readonly(),
    /** A rollback that was begun: written before it is. */
    undoing: undoing.nullable(),
  })
  .readonly();

/** The outcome of an update of the channel on this machine. */
export type Outcome = z.infer<typeof outcome>;
export type Undoing = z.infer<typeof undoing>;

/** The outcomes of the updates of a channel. The manifest only has the updates in force; all others are here. */
export interface Outcomes {
  readonly outcomes: readonly Outcome[];
  readonly undoing: Undoing | null;
}

/** @throws LaminaError damaged */
export function readOutcomes({ outcomes }: FollowPaths): Outcomes {
  const found = readJsonRecordSync(outcomes, {
    schema,
    fault: 'has no valid outcomes of the updates of a channel',
    code: 'OUTCOMES_DAMAGED',
    hint: 'restore it from a backup of the store, or remove it: then updates that failed are tried once more',
  });
  return found ?? { outcomes: [], undoing: null };
}

export async function writeOutcomes(paths: FollowPaths, { outcomes, undoing: open }: Outcomes): Promise<void> {
  const sorted = [...outcomes].sort((a, b) => a.sequence - b.sequence);
  const text = JSON.stringify({ version: 1, outcomes: sorted, undoing: open }, null, 1);
  await writeFileDurably(paths.outcomes, `${text}\n`, { mode: 0o600 });
}

/** With this outcome in place of an earlier one of the same update. */
export function withOutcome({ outcomes, undoing: open }: Outcomes, next: Outcome): Outcomes {
  return { outcomes: [...outcomes.filter(({ sequence }) => sequence !== next.sequence), next], undoing: open };
}
