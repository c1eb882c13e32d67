import { readFileSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { fromBuffer, fromText, join, toBuffer } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { isRecord, jsonOf } from '../base/json.js';
import type { Renames } from '../manifest/index.js';
import { isThereSync } from '../platform/walk.js';
import { catchUpGeneration, readReport, reportedOf } from '../store/index.js';
import type { CatchUpPaths, UpdatePaths } from '../store/index.js';

/** Fields of an update's report whose keys are containers. */
const byContainer = ['ranBecauseOf', 'met', 'engines', 'conflicts', 'failures', 'containers'];

/** Gives the containers in the records of an update their new names. The records are staged, and nobody reads them. */
export function renameInRecords(update: UpdatePaths, renames: Renames): void {
  if (renames.size === 0) return;
  const to = (name: string) => renames.get(name) ?? name;
  const runs = join(update.directory, 'containers');
  if (isThereSync(runs)) renameAll(runs, renames);
  rewrite(update.report, (report) => {
    const renamed = byContainer.flatMap((field) => {
      const table = report[field];
      if (!isRecord(table)) return [];
      return [[field, Object.fromEntries(Object.entries(table).map(([name, value]) => [to(name), value]))] as const];
    });
    return { ...report, ...Object.fromEntries(renamed) };
  });
  for (const { description } of catchUpsIn(update))
    rewrite(description, (record) =>
      typeof record['container'] === 'string' ? { ...record, container: to(record['container']) } : record,
    );
}

/** In two steps: two containers may exchange their names. */
function renameAll(directory: BytePath, renames: Renames): void {
  const present = [...renames].filter(([old]) => isThereSync(join(directory, fromText(old))));
  const at = (name: string) => toBuffer(join(directory, fromText(name)));
  for (const [old] of present) renameSync(at(old), at(`.${old}`));
  for (const [old, name] of present) renameSync(at(`.${old}`), at(name));
}

/** A file that is no JSON stays as it is: what reads it says so. */
function rewrite(file: BytePath, change: (record: Record<string, unknown>) => Record<string, unknown>): void {
  if (!isThereSync(file)) return;
  const record = jsonOf(readFileSync(toBuffer(file), 'utf8'));
  if (isRecord(record)) writeFileSync(toBuffer(file), `${JSON.stringify(change(record), null, 2)}\n`, { mode: 0o600 });
}

/**
 * The records of a container's run among those of an update, in the form of a catch-up; undefined: there are none. The
 * records are staged, and nobody reads them.
 */
export async function runRecords(update: UpdatePaths, container: string): Promise<BytePath | undefined> {
  const later = catchUpsIn(update).find(({ description }) => containerIn(description) === container);
  if (later !== undefined) return later.directory;
  const { directory } = update.run(container);
  if (!isThereSync(directory)) return undefined;
  const { because: ranBecauseOf, engine, conflicts } = reportedOf(await readReport(update.report), container);
  const file = join(directory, 'catch-up.json');
  writeFileSync(toBuffer(file), `${JSON.stringify({ container, ranBecauseOf, engine, conflicts }, null, 2)}\n`, {
    mode: 0o600,
  });
  return directory;
}

/** Newest first. */
function catchUpsIn(update: UpdatePaths): CatchUpPaths[] {
  return readdirSync(toBuffer(update.directory), 'buffer')
    .flatMap((name) => catchUpGeneration(fromBuffer(name)) ?? [])
    .sort((a, b) => b - a)
    .map((generation) => update.catchUp(generation));
}

function containerIn(description: BytePath): unknown {
  const record = isThereSync(description) ? jsonOf(readFileSync(toBuffer(description), 'utf8')) : undefined;
  return isRecord(record) ? record['container'] : undefined;
}
