import { display, fromText, printable } from '../base/bytes.js';
import { columnsOf, padded } from '../base/columns.js';
import { toLaminaError } from '../base/errors.js';
import { formatVersion } from '../app/json/version.js';
import { write } from './stream.js';

/** Where a command's results go: text for people, or one JSON document. */
export class Output {
  /** @param foreign the result comes from another machine: a text of it must not control the terminal */
  constructor(
    readonly json: boolean,
    readonly foreign = false,
  ) {}

  /** The one result of a command. */
  result(data: object, text: () => string): void {
    if (this.json) this.#document(data);
    else this.#print(this.foreign ? printable(text()) : text());
  }

  /** Besides the result: progress and notes. */
  note(text: string): void {
    write('stderr', `${text}\n`);
  }

  /** Prints an error; returns the exit code. */
  error(thrown: unknown): number {
    const error = toLaminaError(thrown);
    if (this.json) {
      const { code, message, hint } = error;
      this.#document({ error: { code, message, hint: hint ?? null } });
    }
    // Names from arguments, and the output of a procedure, are untrusted.
    const hint = error.hint === undefined ? '' : `  ${printable(error.hint)}\n`;
    write('stderr', `lamina: ${printable(error.message)}\n${hint}`);
    if (process.env['LAMINA_DEBUG'] !== undefined) write('stderr', `${printable(error.stack ?? '')}\n`);
    return error.exitCode;
  }

  #document(data: object): void {
    this.#print(JSON.stringify({ formatVersion, ...data }, null, 2));
  }

  #print(words: string): void {
    if (words !== '') write('stdout', `${words}\n`);
  }
}

/** A text of the data, for a terminal. */
export const shown = (text: string) => display(fromText(text));

/** The message for a container that an update leaves behind. */
export function leftBehind(container: string, { message }: Error): string {
  return `container ${container} stays on its old layer: ${printable(message)}`;
}

/** Columns, aligned; the last one is not padded. Cells are texts as in JSON. No rows: `none`. */
export function table(head: readonly string[], rows: readonly (readonly string[])[], none: string): string {
  if (rows.length === 0) return none;
  const lines = [head, ...rows.map((row) => row.map(shown))];
  const widths = head.map((_, column) => Math.max(...lines.map((row) => columnsOf(row[column] ?? ''))));
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) => (column === row.length - 1 ? cell : padded(cell, widths[column] ?? 0)))
      .join('  ')
      .trimEnd();
  return lines.map(line).join('\n');
}

/** How many layers a base has, and how many of them other bases have too. */
export function layersText(
  bases: readonly { readonly name: string; readonly layers: readonly string[] }[],
  of: string,
): string {
  const others = new Set(bases.filter(({ name }) => name !== of).flatMap(({ layers }) => layers));
  const own = bases.find(({ name }) => name === of)?.layers ?? [];
  const shared = own.filter((layer) => others.has(layer)).length;
  return `${counted(own.length, 'layer')}${shared === 0 ? '' : `, ${shared} shared`}`;
}

/** "3 entries", "1 entry". */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}
