import { readFileSync } from 'node:fs';
import { toBuffer } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { isId } from '../base/ids.js';
import type { Manifest } from '../manifest/index.js';
import { namesIn } from './names-in.js';
import { catchUpGeneration } from './paths.js';
import type { CatchUpPaths, RunPaths, StorePaths } from './paths.js';

/** What updates/<id>/catch-up-<generation>/catch-up.json says. Paths are texts. */
export interface CatchUpRecord {
  readonly container: string;
  /** A path for which the procedure ran; null where nobody looked. */
  readonly met: string | null;
  /** Where the container's content and the update's could not be brought together. */
  readonly conflicts: readonly string[];
}

/** The catch-ups of an update, newest first. */
function catchUpsOf(paths: StorePaths, update: string): { generation: number; paths: CatchUpPaths }[] {
  return namesIn(paths.update(update).directory)
    .flatMap((name) => catchUpGeneration(name) ?? [])
    .sort((a, b) => b - a)
    .map((generation) => ({ generation, paths: paths.update(update).catchUp(generation) }));
}

/** What the newest catch-up of each container left, by container. */
export function readCatchUps(
  paths: StorePaths,
  update: string,
): Map<string, { readonly record: CatchUpRecord; readonly run: RunPaths }> {
  const found = new Map<string, { record: CatchUpRecord; run: RunPaths }>();
  for (const { paths: run } of catchUpsOf(paths, update)) {
    const record = JSON.parse(readFileSync(toBuffer(run.description), 'utf8')) as CatchUpRecord;
    if (!found.has(record.container)) found.set(record.container, { record, run });
  }
  return found;
}

/** What an update's run for a container left, at the time or when that was caught up; undefined given: on the base. */
export function runOf(paths: StorePaths, update: string, container: string | undefined): RunPaths {
  const later = container === undefined ? undefined : readCatchUps(paths, update).get(container)?.run;
  return later ?? paths.update(update).run(container);
}

/** Directories of catch-ups that no manifest answers for. The caller holds the store's exclusive lock, as for asides. */
export function unpublishedCatchUps(paths: StorePaths, { generation: present }: Manifest): BytePath[] {
  return namesIn(paths.updates)
    .filter((name) => isId(name, 'u'))
    .flatMap((update) => catchUpsOf(paths, update))
    .filter(({ generation }) => generation > present)
    .map(({ paths: { directory } }) => directory);
}
