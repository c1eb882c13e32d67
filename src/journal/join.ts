import { open } from 'node:fs/promises';
import { compareBytes, toBuffer, toText } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { isThereSync } from '../platform/walk.js';
import { parseJournalLine } from './journal.js';
import { recordLines } from './lines.js';
import { readLines } from './read-set.js';
import type { ReadKind } from './read-set.js';

/**
 * Writes the lines of several journals into a new one, with new numbers. The unfinished last line of a killed driver is
 * left out.
 * @throws LaminaError damaged
 */
export async function joinJournals(journals: readonly BytePath[], to: BytePath): Promise<void> {
  const file = await open(toBuffer(to), 'wx', 0o600);
  try {
    let number = 0;
    for (const journal of journals.filter(isThereSync)) {
      for await (const line of recordLines(journal)) {
        const { text = '', whole } = line;
        if (!whole && !text.endsWith('}')) continue;
        parseJournalLine(journal, line);
        await file.appendFile(`${text.replace(/^\{"n":\d+/, `{"n":${String(++number)}`)}\n`);
      }
    }
  } finally {
    await file.close();
  }
}

/** Writes what is in any of several read sets into a new one. @throws LaminaError as `readLines` */
export async function joinReadSets(sets: readonly BytePath[], to: BytePath): Promise<void> {
  const kinds = new Map<BytePath, Set<ReadKind>>();
  for (const set of sets.filter(isThereSync)) {
    for (const line of await readLines(set)) {
      const known = kinds.get(line.path) ?? new Set();
      kinds.set(line.path, known);
      for (const kind of line.kinds) known.add(kind);
    }
  }
  const file = await open(toBuffer(to), 'wx', 0o600);
  try {
    await file.appendFile('{"version":1}\n');
    for (const [path, its] of [...kinds].sort(([a], [b]) => compareBytes(a, b)))
      await file.appendFile(`${JSON.stringify({ path: `/${toText(path)}`, kinds: [...its] })}\n`);
  } finally {
    await file.close();
  }
}
