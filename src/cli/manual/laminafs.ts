import type { Row } from './page.js';
import type { ManPage } from './roff.js';

/**
 * The driver's page. @param help what `laminafs --help` prints: the usage, paragraphs, and rows that are indented by
 * two columns, with their texts at a column of their own
 */
export function laminafsPage(help: string): ManPage {
  const [usage = '', ...lines] = help.trimEnd().split('\n');
  const firstRow = lines.findIndex((line) => line.startsWith('  '));
  return {
    name: 'laminafs',
    section: 8,
    summary: 'overlay file system for /dev/fuse',
    synopsis: [usage.replace(/^usage: /, '')],
    parts: [
      {
        title: 'DESCRIPTION',
        paragraphs: lines
          .slice(0, firstRow)
          .join('\n')
          .split('\n\n')
          .map((paragraph) => paragraph.trim().replaceAll('\n', ' '))
          .filter((paragraph) => paragraph !== ''),
      },
      { title: 'OPTIONS', rows: rowsOf(lines.slice(firstRow)) },
    ],
    seeAlso: ['lamina(1)', 'mount(8)', 'fuse(4)'],
  };
}

/** A row whose term reaches the column of the texts has no text of its own. */
function rowsOf(lines: readonly string[]): Row[] {
  const rows: { term: string; text: string }[] = [];
  for (const line of lines) {
    const [, indent = '', term = '', text = ''] = /^( *)(.*?)(?: {2,}(.*))?$/.exec(line) ?? [];
    const last = rows.at(-1);
    if (indent.length <= 2) rows.push({ term, text });
    else if (last !== undefined) last.text += ` ${term}`;
  }
  return rows;
}
