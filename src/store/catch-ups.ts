import * as z from 'zod';
import { dirname, display } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { isId } from '../base/ids.js';
import type { Manifest } from '../manifest/index.js';
import { requireJsonRecordSync } from './json-record.js';
import { namesIn } from './names-in.js';
import { catchUpGeneration } from './paths.js';
import type { CatchUpPaths, RunPaths, StorePaths } from './paths.js';
import { pathAlone, ranBecauseOfSchema } from './ran-because.js';
import { ranEngineSchema } from './ran-engine.js';

/** The content of updates/<id>/catch-up-<generation>/catch-up.json. Paths are texts. */
const common = {
  container: z.string().min(1),
  /** Paths at which the container's content and the update's could not be merged. */
  conflicts: z.array(z.string()).readonly(),
};
const presentSchema = z
  .strictObject({
    ...common,
    /** Null: not searched for. */
    ranBecauseOf: ranBecauseOfSchema.nullable(),
    /** Null: no procedure ran. Earlier versions have none. */
    engine: ranEngineSchema.nullable().default(null),
  })
  .readonly();
/** Earlier versions have the path alone. */
const earlierSchema = z
  .strictObject({ ...common, met: z.string().nullable() })
  .transform(({ met, ...rest }) => ({
    ...rest,
    ranBecauseOf: met === null ? null : pathAlone(met),
    engine: null,
  }))
  .readonly();
const recordSchema = z.union([presentSchema, earlierSchema]);

export type CatchUpRecord = z.infer<typeof recordSchema>;

/** @throws LaminaError damaged */
function readRecord(file: BytePath): CatchUpRecord {
  return requireJsonRecordSync(file, {
    schema: recordSchema,
    fault: 'does not say which container was caught up',
    code: 'CATCH_UP_DAMAGED',
    hint: `restore it from a backup of the store, or remove ${display(dirname(file))}: then only the record of that run is lost`,
  });
}

/** The catch-ups of an update, newest first. */
function catchUpsOf(paths: StorePaths, update: string): { generation: number; paths: CatchUpPaths }[] {
  return namesIn(paths.update(update).directory)
    .flatMap((name) => catchUpGeneration(name) ?? [])
    .sort((a, b) => b - a)
    .map((generation) => ({ generation, paths: paths.update(update).catchUp(generation) }));
}

/** What the newest catch-up of each container left, by container. @throws LaminaError damaged */
export function readCatchUps(
  paths: StorePaths,
  update: string,
): Map<string, { readonly record: CatchUpRecord; readonly run: RunPaths }> {
  const found = new Map<string, { record: CatchUpRecord; run: RunPaths }>();
  for (const { paths: run } of catchUpsOf(paths, update)) {
    const record = readRecord(run.description);
    if (!found.has(record.container)) found.set(record.container, { record, run });
  }
  return found;
}

/** What an update's run for a container left, at the time or when that was caught up; undefined given: on the base. */
export function runOf(paths: StorePaths, update: string, container: string | undefined): RunPaths {
  const later = container === undefined ? undefined : readCatchUps(paths, update).get(container)?.run;
  return later ?? paths.update(update).run(container);
}

/**
 * Directories of catch-ups that no manifest refers to. The caller holds the store's exclusive lock, as for what was
 * displaced.
 */
export function unpublishedCatchUps(paths: StorePaths, { generation: present }: Manifest): BytePath[] {
  return namesIn(paths.updates)
    .filter((name) => isId(name, 'u'))
    .flatMap((update) => catchUpsOf(paths, update))
    .filter(({ generation }) => generation > present)
    .map(({ paths: { directory } }) => directory);
}
