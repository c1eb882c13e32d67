import { readFileSync } from 'node:fs';
import * as z from 'zod';
import { basename, display, toBuffer } from '../base/bytes.js';
import { damaged, isSystemError, messageOf } from '../base/errors.js';
import { isId } from '../base/ids.js';
import { own } from '../manifest/index.js';
import type { Manifest, UpdateId } from '../manifest/index.js';
import { isThereSync } from '../platform/walk.js';
import { requireJsonRecordSync } from './json-record.js';
import { namesIn } from './names-in.js';
import type { PastPaths, StorePaths } from './paths.js';

/** The longest text in a record that has no limit of its own. Characters. */
export const longestReason = 4096;

export const pastStates = ['failed', 'rolled-back', 'discarded'] as const;
/**
 * `procedure`: it failed. `health`: containers failed the check. `interrupted`: by a signal, or the command or the
 * machine died. `error`: any other reason why it was not made. `rollback`, `discard`: it was rolled back, what was
 * written since kept or dropped. `abort`, `unmounted`: of an update by hand.
 */
export const pastCauses = [
  'procedure',
  'health',
  'interrupted',
  'error',
  'rollback',
  'discard',
  'abort',
  'unmounted',
] as const;

/** What is known of an update from its start. */
const attemptShape = {
  version: z.literal(1),
  update: z.string().regex(/^u-[0-9a-f]{16}$/),
  name: z.string(),
  base: z.string(),
  /** When it was begun; of a published one, when it was published. */
  created: z.iso.datetime(),
  procedure: z
    .strictObject({ kind: z.enum(['script', 'package', 'layer', 'image', 'manual']), hash: z.string() })
    .readonly(),
  /** The version of the base that it makes, or null. */
  to: z.string().nullable(),
  description: z.string().nullable(),
  containers: z
    .array(
      z
        .strictObject({
          container: z.string(),
          /** Null where it did not get that far. */
          outcome: z.enum(['skipped', 'unchanged', 'changed', 'failed']).nullable(),
          /** What was wrong with it; null: nothing known. */
          failure: z.string().nullable(),
        })
        .readonly(),
    )
    .readonly(),
};

const attemptSchema = z.strictObject(attemptShape).readonly();

/** The content of transactions/<id>/attempt.json. */
export type Attempt = z.infer<typeof attemptSchema>;

/** The content of history/<id>/record.json. */
const recordSchema = z
  .strictObject({
    ...attemptShape,
    state: z.enum(pastStates),
    cause: z.enum(pastCauses),
    reason: z.string(),
    ended: z.iso.datetime(),
  })
  .readonly();

export type PastUpdate = z.infer<typeof recordSchema>;

/** @throws LaminaError damaged */
export function readPast({ record, directory }: PastPaths): PastUpdate {
  return requireJsonRecordSync(record, {
    schema: recordSchema,
    fault: 'does not say what became of an update',
    code: 'HISTORY_DAMAGED',
    hint: `restore it from a backup of the store, or remove ${display(directory)}: then only the record of that update is lost`,
  });
}

/** @throws LaminaError damaged */
export function parseAttempt(text: string, where: string): Attempt {
  try {
    return attemptSchema.parse(JSON.parse(text));
  } catch (error) {
    throw damaged(`${where} does not say which update was begun: ${messageOf(error)}`, { cause: error });
  }
}

/** Updates that ended, newest end first. @throws LaminaError damaged */
export function pastUpdates(paths: StorePaths, manifest: Manifest): PastUpdate[] {
  return publishedPasts(paths, manifest).map(readPast).sort(newestFirst);
}

export const newestFirst = (a: PastUpdate, b: PastUpdate) => (a.ended > b.ended ? -1 : a.ended < b.ended ? 1 : 0);

export function publishedPasts(paths: StorePaths, manifest: Manifest): PastPaths[] {
  return pastIds(paths)
    .filter((id) => isPublished(paths.past(id), manifest))
    .map((id) => paths.past(id));
}

/**
 * Records that belong to no rollback, as for what was displaced. The caller holds the store's exclusive lock, and
 * changes nothing before these are gone.
 */
export function unpublishedPasts(paths: StorePaths, manifest: Manifest): PastPaths[] {
  return pastIds(paths)
    .filter((id) => !isPublished(paths.past(id), manifest))
    .map((id) => paths.past(id));
}

function isPublished({ directory, record, generation }: PastPaths, manifest: Manifest): boolean {
  if (!isThereSync(record)) return false;
  const state = own(manifest.updates, basename(directory))?.state;
  if (state !== undefined && state !== 'rolled-back') return false;
  const said = generationIn(generation);
  // What was never published needs no manifest; and a value that is not a number, as from a defective disk, proves
  // nothing.
  return said === undefined || !(said > manifest.generation);
}

function generationIn(file: PastPaths['generation']): number | undefined {
  try {
    return Number(readFileSync(toBuffer(file), 'latin1'));
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return undefined;
    throw error;
  }
}

function pastIds({ history }: StorePaths): UpdateId[] {
  return namesIn(history).filter((name) => isId(name, 'u'));
}
