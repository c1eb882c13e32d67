import type { Manifest } from './schema.js';

/** A manifest, and the text that `serialiseManifest` made of it. */
export interface SerialisedManifest {
  readonly manifest: Manifest;
  readonly text: string;
}

type Table = Readonly<Record<string, unknown>>;

/** In the order in which they are written. */
const tableNames = ['bases', 'containers', 'nodes', 'updates', 'containerd'] as const;

const rowIndent = '\n    ';
const betweenRows = `,${rowIndent}`;

/** A part of the old text that is used again: the characters from `begin` up to `end`. */
interface Reused {
  readonly begin: number;
  readonly end: number;
}

/**
 * The text of manifest.json, one line for each row of a table: keys sorted, so that the same manifest is the same
 * bytes.
 * @param before its text is used again for rows that did not change: making it takes most of the time
 */
export function serialiseManifest(manifest: Manifest, before?: SerialisedManifest): string {
  const text = before?.text ?? '';
  return manifestPieces(manifest, before)
    .map((piece) => (typeof piece === 'string' ? piece : text.slice(piece.begin, piece.end)))
    .join('');
}

/** As `serialiseManifest`, in pieces: what is used again need not be put together. */
export function manifestPieces(manifest: Manifest, before?: SerialisedManifest): (string | Reused)[] {
  const { format, version, generation, marks, ...tables } = manifest;
  const fields = Object.entries({ format, version, generation, marks }).map(
    ([key, value]) => `  "${key}": ${JSON.stringify(value)}`,
  );
  const pieces: (string | Reused)[] = [`{\n${fields.join(',\n')}`];
  for (const key of tableNames) {
    pieces.push(`,\n  "${key}": {`);
    const rows = (before && reusedRows(tables[key], key, before)) ?? rowsOf(tables[key]);
    rows.forEach((row, i) => pieces.push(i === 0 ? rowIndent : betweenRows, row));
    pieces.push(rows.length === 0 ? '}' : '\n  }');
  }
  return [...pieces, '\n}\n'];
}

const rowText = (key: string, row: unknown): string => `"${key}": ${JSON.stringify(sorted(row))}`;

function rowsOf(table: Table): (string | Reused)[] {
  const keys = Object.keys(table).sort();
  return keys.map((key) => rowText(key, table[key]));
}

/**
 * Rows as `rowsOf` makes them, those that did not change from the old text, as many together as stand there one after
 * the other; undefined: it has other rows.
 */
function reusedRows(
  table: Table,
  name: (typeof tableNames)[number],
  { manifest, text }: SerialisedManifest,
): (string | Reused)[] | undefined {
  const before: Table = manifest[name];
  const cuts = new Cuts(text, text.indexOf(`\n  "${name}": {`));
  const old = Object.keys(before).sort();
  let next = 0;
  for (const key of Object.keys(table).sort()) {
    for (; next < old.length && (old[next] ?? '') < key; next++) cuts.leaveOut();
    const isOld = old[next] === key;
    if (isOld && !cuts.isAt(key)) return undefined;
    if (isOld && table[key] === before[key]) cuts.keep();
    else {
      if (isOld) cuts.leaveOut();
      cuts.add(rowText(key, table[key]));
    }
    if (isOld) next += 1;
  }
  return cuts.rows();
}

/** Goes through the rows of a table in a text, and lists those that are kept and others. */
class Cuts {
  readonly #rows: (string | Reused)[] = [];
  /** The line break before the next row. */
  #at: number;
  /** Of the rows that are kept, one after the other; -1: the last row is none of them. */
  #begin = -1;
  #end = -1;

  constructor(
    readonly text: string,
    start: number,
  ) {
    this.#at = start < 0 ? text.length : text.indexOf('{', start) + 1;
  }

  /** Whether the next row has this key. */
  isAt(key: string): boolean {
    const start = this.#at + rowIndent.length;
    return this.text.startsWith(key, start + 1) && this.text.startsWith('": ', start + 1 + key.length);
  }

  keep(): void {
    if (this.#begin < 0) this.#begin = this.#at + rowIndent.length;
    this.#at = this.text.indexOf('\n', this.#at + 1);
    this.#end = this.text[this.#at - 1] === ',' ? this.#at - 1 : this.#at;
  }

  leaveOut(): void {
    this.#cut();
    this.#at = this.text.indexOf('\n', this.#at + 1);
  }

  add(row: string): void {
    this.#cut();
    this.#rows.push(row);
  }

  rows(): (string | Reused)[] {
    this.#cut();
    return this.#rows;
  }

  #cut(): void {
    if (this.#begin >= 0) this.#rows.push({ begin: this.#begin, end: this.#end });
    this.#begin = -1;
  }
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
