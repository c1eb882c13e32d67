import { linkSync, readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { toBuffer } from '../../base/bytes.js';
import { must } from '../../base/errors.js';
import { joinJournals, joinReadSets } from '../../journal/index.js';
import { stageFile, stagedStep } from '../../platform/durable.js';
import { manualParts, lacksReads } from '../../store/index.js';
import type { RunPaths, TransactionPaths } from '../../store/index.js';

/**
 * Whether the record of a manual update may lack the last operations in one of its mounts because its driver was
 * killed.
 */
export function isRecordTorn(paths: TransactionPaths): boolean {
  return manualParts(paths).some((part) => lacksReads(paths, part));
}

/** Joins the records of the mounts of a manual update, in order, into one journal and one read set. */
export async function stageManualRecord(paths: TransactionPaths, kept: RunPaths): Promise<void> {
  await mkdir(toBuffer(kept.directory), { recursive: true, mode: 0o700 });
  const parts = manualParts(paths).map((part) => paths.manualPart(part));
  stageFile(kept.span, readFileSync(toBuffer(paths.manualSpan)));
  for (const path of [kept.journal, kept.reads]) stagedStep(path);
  if (parts.length === 1 && !isRecordTorn(paths)) {
    const { journal, reads } = must(parts[0], 'a mount');
    linkSync(toBuffer(journal), toBuffer(kept.journal));
    linkSync(toBuffer(reads), toBuffer(kept.reads));
    return;
  }
  await joinJournals(
    parts.map(({ journal }) => journal),
    kept.journal,
  );
  await joinReadSets(
    parts.map(({ reads }) => reads),
    kept.reads,
  );
}
