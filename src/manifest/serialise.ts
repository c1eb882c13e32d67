import type { Manifest } from './schema.js';

/** A manifest, and the text that `serialiseManifest` made of it. */
export interface SerialisedManifest {
  readonly manifest: Manifest;
  readonly text: string;
}

type Table = Readonly<Record<string, unknown>>;

const rowIndent = '\n    ';

/**
 * The text of manifest.json, one line for each row of a table: keys sorted, so that the same manifest is the same
 * bytes.
 * @param before its lines are reused for rows that did not change: writing the rows takes most of the time
 */
export function serialiseManifest(manifest: Manifest, before?: SerialisedManifest): string {
  const { format, version, generation, marks, ...tables } = manifest;
  const fields = Object.entries({ format, version, generation, marks }).map(
    ([key, value]) => `"${key}": ${JSON.stringify(value)}`,
  );
  const lines = before === undefined ? undefined : linesOf(before.text);
  for (const key of ['bases', 'containers', 'nodes', 'updates'] as const)
    fields.push(`"${key}": ${tableText(tables[key], before?.manifest[key] ?? {}, lines)}`);
  return `{\n  ${fields.join(',\n  ')}\n}\n`;
}

function tableText(table: Table, before: Table, lines: ReadonlyMap<string, string> | undefined): string {
  const rows: string[] = [];
  for (const key of Object.keys(table).sort()) {
    const row = table[key];
    const known = row === before[key] ? lines?.get(key) : undefined;
    rows.push(known ?? `"${key}": ${JSON.stringify(sorted(row))}`);
  }
  return rows.length === 0 ? '{}' : `{${rowIndent}${rows.join(`,${rowIndent}`)}\n  }`;
}

/** The lines of rows by their keys; keys that several tables have are left out. */
function linesOf(text: string): Map<string, string> {
  const lines = new Map<string, string>();
  const twice = new Set<string>();
  const start = `${rowIndent}"`;
  for (let at = text.indexOf(start); at !== -1;) {
    const begin = at + rowIndent.length;
    const end = text.indexOf('\n', begin);
    const key = text.slice(begin + 1, text.indexOf('"', begin + 1));
    if (lines.has(key)) twice.add(key);
    lines.set(key, text.slice(begin, text[end - 1] === ',' ? end - 1 : end));
    at = text.startsWith(start, end) ? end : text.indexOf(start, end);
  }
  for (const key of twice) lines.delete(key);
  return lines;
}

/** A value with the keys of all its objects in order; an object with ordered keys is not copied. */
function sorted<T>(value: T): T {
  if (typeof value !== 'object' || value === null || isSorted(value)) return value;
  if (Array.isArray(value)) return value.map(sorted) as T;
  const record = value as Record<string, unknown>;
  const inOrder: Record<string, unknown> = {};
  for (const key of Object.keys(record).sort()) inOrder[key] = sorted(record[key]);
  return inOrder as T;
}

function isSorted(value: object): boolean {
  if (Array.isArray(value))
    return value.every((each: unknown) => typeof each !== 'object' || each === null || isSorted(each));
  let last = '';
  for (const key in value) {
    if (key < last) return false;
    const inner = (value as Record<string, unknown>)[key];
    if (typeof inner === 'object' && inner !== null && !isSorted(inner)) return false;
    last = key;
  }
  return true;
}
