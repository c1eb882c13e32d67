import * as z from 'zod';
import { fromText, toText } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import type { UpdateId } from '../manifest/index.js';
import { stageFile } from '../platform/durable.js';
import { readJsonRecord } from './json-record.js';

/**
 * Which update made what a folded tree has at a path; null: unknown, because it was folded by a version that did not
 * record this. A path that is not in the table comes from no update.
 */
export type Origins = ReadonlyMap<BytePath, UpdateId | null>;

const paths = z.array(z.string());
const schema = z.strictObject({ version: z.literal(1), updates: z.record(z.string(), paths), unknown: paths });
const format = {
  schema,
  fault: 'does not say which updates were folded into the tree',
  code: 'ORIGINS_DAMAGED',
  hint: 'restore it from a backup of the store, or remove it: then only lamina explain loses that information',
};

export function writeOrigins(file: BytePath, origins: Origins): void {
  const updates: Record<UpdateId, string[]> = {};
  const unknown: string[] = [];
  for (const [path, update] of [...origins].sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (update === null) unknown.push(toText(path));
    else (updates[update] ??= []).push(toText(path));
  }
  stageFile(file, `${JSON.stringify({ version: 1, updates, unknown }, null, 1)}\n`);
}

/** Undefined where none were recorded. @throws LaminaError damaged */
export async function readOrigins(file: BytePath): Promise<Origins | undefined> {
  const record = await readJsonRecord(file, format);
  if (record === undefined) return undefined;
  const origins = new Map<BytePath, UpdateId | null>(record.unknown.map((text) => [fromText(text), null]));
  for (const [update, texts] of Object.entries(record.updates))
    for (const text of texts) origins.set(fromText(text), update);
  return origins;
}

/** For a node that replaces another. */
export async function copyOrigins(from: BytePath, to: BytePath): Promise<void> {
  const origins = await readOrigins(from);
  if (origins !== undefined) writeOrigins(to, origins);
}
