import { readFile } from 'node:fs/promises';
import * as z from 'zod';
import { display, fromText, toBuffer, toText } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { damaged, isSystemError } from '../base/errors.js';
import type { UpdateId } from '../manifest/index.js';
import { stageFile } from '../platform/durable.js';

/**
 * Which update made what a folded tree has at a path; null: unknown, for it was folded by a version that did not record
 * this. A path that is not in the table comes from no update.
 */
export type Origins = ReadonlyMap<BytePath, UpdateId | null>;

const paths = z.array(z.string());
const schema = z.strictObject({ version: z.literal(1), updates: z.record(z.string(), paths), unknown: paths });

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
  try {
    const { updates, unknown } = schema.parse(JSON.parse(await readFile(toBuffer(file), 'utf8')));
    const origins = new Map<BytePath, UpdateId | null>(unknown.map((text) => [fromText(text), null]));
    for (const [update, texts] of Object.entries(updates))
      for (const text of texts) origins.set(fromText(text), update);
    return origins;
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return undefined;
    throw damaged(`${display(file)} does not say which updates were folded into the tree`, {
      code: 'ORIGINS_DAMAGED',
      hint: 'restore it from a backup of the store, or remove it: then only lamina explain does not know any more',
      cause: error,
    });
  }
}

/** For a node that replaces another. */
export async function copyOrigins(from: BytePath, to: BytePath): Promise<void> {
  const origins = await readOrigins(from);
  if (origins !== undefined) writeOrigins(to, origins);
}
