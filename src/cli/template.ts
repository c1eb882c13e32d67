import { display } from '../base/bytes.js';
import { columnsOf, padded } from '../base/columns.js';
import { usage } from '../base/errors.js';
import { shown } from './output.js';

type Row = Readonly<Record<string, unknown>>;

/**
 * Rows by a template, as podman's users know it: `{{.name}}`, `{{json .}}`, `{{json .behind}}`, `\t`, `\n`; with
 * `table` before it, columns with a head.
 * @param fields that a row has
 * @throws LaminaError usage: no such field, or something else in braces
 */
export function formatted(template: string, fields: readonly string[], rows: readonly Row[]): string {
  const isTable = /^table\s/.test(template);
  const text = unescaped(isTable ? template.replace(/^table\s+/, '') : template);
  const parts = partsOf(text, fields);
  const lines = rows.map((row) => parts.map((part) => (typeof part === 'string' ? part : part(row))).join(''));
  return isTable ? aligned([head(text), ...lines]) : lines.join('\n');
}

type Part = string | ((row: Row) => string);

function partsOf(text: string, fields: readonly string[]): Part[] {
  return text.split(/(\{\{.*?\}\})/s).map((part) => {
    if (!part.startsWith('{{')) return part;
    const [, json, field = ''] = /^\{\{\s*(json\s+)?\.(\w*)\s*\}\}$/.exec(part) ?? [];
    const isKnown = field === '' ? json !== undefined : fields.includes(field);
    if (!isKnown)
      throw usage(`--format: '${display(part)}' is not a field`, {
        hint: `give {{.FIELD}} or {{json .FIELD}}, FIELD one of ${fields.join(', ')}`,
      });
    return (row: Row) => (json === undefined ? plain(row[field]) : JSON.stringify(field === '' ? row : row[field]));
  });
}

function plain(value: unknown): string {
  if (value === null || value === undefined) return '';
  if (Array.isArray(value)) return value.map(plain).join(', ');
  return shown(typeof value === 'string' ? value : JSON.stringify(value));
}

const unescaped = (text: string) => text.replaceAll('\\t', '\t').replaceAll('\\n', '\n');

const head = (text: string) =>
  text.replace(/\{\{\s*(?:json\s+)?\.(\w*)\s*\}\}/g, (_, field: string) => field.toUpperCase());

function aligned(lines: readonly string[]): string {
  const rows = lines.map((line) => line.split('\t'));
  const columns = Math.max(...rows.map((row) => row.length));
  const widths = Array.from({ length: columns }, (_, at) => Math.max(...rows.map((row) => columnsOf(row[at] ?? ''))));
  return rows
    .map((row) =>
      row
        .map((cell, at) => padded(cell, widths[at] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
