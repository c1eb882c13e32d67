import { sentenceOf } from './page.js';
import type { CommandPage, Row } from './page.js';

/** One document with all pages, the first of which is the program's own. */
export function markdownOf([program, ...pages]: readonly CommandPage[]): string {
  if (program === undefined) return '';
  const index = pages
    .filter(({ commands }) => commands.length === 0)
    .map(({ name, summary }) => `| [${name}](#${anchor(name)}) | ${escape(summary)} |`);
  return [
    '# Command reference',
    'This page is generated from the program; `lamina help COMMAND` prints the same. [commands.md](../commands.md) describes what all commands have in common.',
    ['| command | does |', '| --- | --- |', ...index].join('\n'),
    // Its commands are the list above.
    ...sectionOf({ ...program, commands: [] }),
    ...pages.flatMap(sectionOf),
  ]
    .join('\n\n')
    .concat('\n');
}

function sectionOf({ name, summary, usage, options, commands, paragraphs, examples }: CommandPage): string[] {
  return [
    `## ${name}`,
    escape(sentenceOf(summary)),
    fenced([`${name} ${usage}`]),
    ...table('command', commands),
    ...table('option', options),
    ...paragraphs.map(escape),
    ...(examples.length > 0 ? [fenced(examples)] : []),
  ];
}

function table(head: string, rows: readonly Row[]): string[] {
  if (rows.length === 0) return [];
  const lines = rows.map(({ term, text }) => `| \`${term.replaceAll('|', '\\|')}\` | ${escape(text)} |`);
  return [[`| ${head} | means |`, '| --- | --- |', ...lines].join('\n')];
}

const fenced = (lines: readonly string[]) => ['```sh', ...lines, '```'].join('\n');
const anchor = (name: string) => name.replaceAll(' ', '-');

/** Escapes a text, so that nothing in it is markup. */
const escape = (text: string) => text.replace(/[\\`*<>|[\]]/g, '\\$&');
