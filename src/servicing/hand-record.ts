import { linkSync, readFileSync } from 'node:fs';
import { mkdir, open } from 'node:fs/promises';
import { compareBytes, fromText, toBuffer, toText } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { must } from '../base/errors.js';
import { stageFile, stagedStep } from '../platform/durable.js';
import { isThereSync } from '../platform/walk.js';
import { handParts, lacksReads } from '../store/index.js';
import type { RunPaths, TransactionPaths } from '../store/index.js';
import { journalDamaged } from './journal.js';
import { readLines } from './reads.js';
import { recordLines } from './record-lines.js';

/**
 * Whether the record of an update by hand may lack the last operations in one of its mounts because its driver was
 * killed.
 */
export function isRecordTorn(paths: TransactionPaths): boolean {
  return handParts(paths).some((part) => lacksReads(paths, part));
}

/** Joins the records of the mounts of an update by hand, in order, into one journal and one read set. */
export async function stageHandRecord(paths: TransactionPaths, kept: RunPaths): Promise<void> {
  await mkdir(toBuffer(kept.directory), { recursive: true, mode: 0o700 });
  const parts = handParts(paths).map((part) => paths.handPart(part));
  stageFile(kept.span, readFileSync(toBuffer(paths.handSpan)));
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
  await joinReads(
    parts.map(({ reads }) => reads),
    kept.reads,
  );
}

/** Renumbers the lines. An unfinished line of a killed driver is dropped. */
async function joinJournals(journals: readonly BytePath[], to: BytePath): Promise<void> {
  const file = await open(toBuffer(to), 'wx', 0o600);
  try {
    let number = 0;
    for (const journal of journals.filter(isThereSync)) {
      for await (const { text, whole } of recordLines(journal)) {
        if (text === undefined && whole) throw journalDamaged(journal, number);
        if (text?.endsWith('}') !== true) continue;
        await file.appendFile(`${text.replace(/^\{"n":\d+/, `{"n":${String(++number)}`)}\n`);
      }
    }
  } finally {
    await file.close();
  }
}

async function joinReads(sets: readonly BytePath[], to: BytePath): Promise<void> {
  const kinds = new Map<BytePath, Set<string>>();
  for (const set of sets.filter(isThereSync)) {
    for (const line of await readLines(set)) {
      const path = fromText(line.path);
      const known = kinds.get(path) ?? new Set();
      kinds.set(path, known);
      for (const kind of line.kinds) known.add(kind);
    }
  }
  const file = await open(toBuffer(to), 'wx', 0o600);
  try {
    await file.appendFile('{"version":1}\n');
    for (const [path, its] of [...kinds].sort(([a], [b]) => compareBytes(a, b)))
      await file.appendFile(`${JSON.stringify({ path: toText(path), kinds: [...its] })}\n`);
  } finally {
    await file.close();
  }
}
