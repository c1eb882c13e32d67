import type { Row } from './page.js';

/** A man page in the parts of man-pages(7). */
export interface ManPage {
  /** Of the file and of the page's head ("lamina-run"). */
  readonly name: string;
  readonly section: 1 | 5 | 8;
  readonly summary: string;
  readonly synopsis: readonly string[];
  readonly parts: readonly ManPart[];
  /** Other pages ("lamina(1)"). */
  readonly seeAlso: readonly string[];
}

export interface ManPart {
  readonly title: string;
  readonly paragraphs?: readonly string[];
  readonly rows?: readonly Row[];
  /** Shown line by line, as it is typed. */
  readonly typed?: readonly string[];
}

const manuals = { 1: 'User Commands', 5: 'File Formats', 8: 'System Administration' } as const;

/** The page in the format of man(7). It has no date and no version, so that it changes only with its content. */
export function roffOf({ name, section, summary, synopsis, parts, seeAlso }: ManPage): string {
  return [
    '.\\" Generated from the program; a test compares both.',
    `.TH ${name.toUpperCase()} ${section} "" "Lamina" "${manuals[section]}"`,
    '.SH NAME',
    text(`${name} - ${summary}`, '\\-'),
    '.SH SYNOPSIS',
    ...synopsis.flatMap((line, i) => [...(i === 0 ? [] : ['.br']), typed(line)]),
    ...parts.flatMap(partOf),
    ...(seeAlso.length > 0 ? ['.SH SEE ALSO', text(seeAlso.join(', '))] : []),
  ]
    .join('\n')
    .concat('\n');
}

function partOf({ title, paragraphs = [], rows = [], typed: lines = [] }: ManPart): string[] {
  if (paragraphs.length + rows.length + lines.length === 0) return [];
  return [
    `.SH ${title}`,
    ...paragraphs.flatMap((paragraph) => ['.PP', text(paragraph)]),
    ...rows.flatMap((row) => ['.TP', typed(row.term), text(row.text)]),
    ...(lines.length > 0 ? ['.PP', '.nf', ...lines.map((line) => text(line, '\\-')), '.fi'] : []),
  ];
}

/** Highlights options, names and placeholders. */
function typed(words: string): string {
  const parts = words.split(/(<[^>]*>)/).filter((part) => part !== '');
  return parts
    .map((part) => (part.startsWith('<') ? `\\fI${escape(part.slice(1, -1))}\\fR` : `\\fB${escape(part)}\\fR`))
    .join('');
}

/** A line of text, in which nothing is a request of roff. Hyphens stay hyphens, unless they are to be typed: `\-`. */
function text(line: string, hyphen = '-'): string {
  const escaped = escape(line, hyphen);
  return /^[.']/.test(escaped) ? `\\&${escaped}` : escaped;
}

/** Options that a text names are copied from it, so that their hyphens are those of a keyboard. */
function escape(words: string, hyphen = '\\-'): string {
  const safe = words.replaceAll('\\', '\\e').replaceAll('…', '...').replaceAll('’', "'");
  return hyphen === '-'
    ? safe.replace(/(?<![\w-])--?(?=[a-z])/g, (dashes) => dashes.replaceAll('-', '\\-'))
    : safe.replaceAll('-', hyphen);
}
