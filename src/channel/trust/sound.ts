import { createHash } from 'node:crypto';
import type { Key, Root, Snapshot, Targets, Timestamp } from '@tufjs/models';

/*
 * Checks of the specification that tuf-js leaves out. Each throws an Error with the reason; who signed the metadata is
 * checked elsewhere.
 */

/**
 * The expiry is a time: one that is none would never come. The version is a number that another one can follow: with
 * the highest of all, a thief could lock the publisher out.
 */
export function checkSound({ expires, version }: Root | Targets | Snapshot | Timestamp): void {
  if (Number.isNaN(Date.parse(expires))) throw new Error('its expiry is not a time');
  if (!Number.isSafeInteger(version) || version < 1) throw new Error('its version is not one that another can follow');
}

/**
 * Each id is the one that its key has by the specification (4.3), and no key has two: else one key could sign for a
 * threshold of two.
 */
export function checkKeys(keys: Readonly<Record<string, Key>>): void {
  const seen = new Set<string>();
  for (const [id, key] of Object.entries(keys)) {
    const { keytype, keyval } = key.toJSON() as { keytype: string; keyval: Readonly<Record<string, string>> };
    if (createHash('sha256').update(canonical(key.toJSON())).digest('hex') !== id)
      throw new Error(`the key ${id.slice(0, 16)} has not the id that belongs to it`);
    const same = `${keytype} ${(keyval['public'] ?? '').toLowerCase()}`;
    if (seen.has(same)) throw new Error(`the key ${id.slice(0, 16)} has two ids`);
    seen.add(same);
  }
}

/** Canonical JSON, which signatures of TUF are of. Of values that JSON has not, and of fractions, it means nothing. */
function canonical(value: unknown): string {
  if (typeof value === 'string') return `"${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value !== 'object' || value === null) return String(value);
  const fields = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${fields.map(([name, each]) => `${canonical(name)}:${canonical(each)}`).join(',')}}`;
}
