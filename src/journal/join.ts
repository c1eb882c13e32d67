import { open } from 'node:fs/promises';
import { compareBytes, fromText, toBuffer, toText } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { isThereSync } from '../platform/walk.js';
import { journalDamaged } from './journal.js';
import { recordLines } from './lines.js';
import { readLines } from './read-set.js';

/** Renumbers the lines. An unfinished line of a killed driver is dropped. */
export async function joinJournals(journals: readonly BytePath[], to: BytePath): Promise<void> {
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

export async function joinReads(sets: readonly BytePath[], to: BytePath): Promise<void> {
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
