import { sentenceOf } from './page.js';
import type { CommandPage } from './page.js';
import { roffOf } from './roff.js';
import type { ManPage, ManPart } from './roff.js';

/** A man page as a file: its name ("lamina-run.1") and what it holds. */
export interface ManFile {
  readonly file: string;
  readonly content: string;
}

/** One for each of the program's pages. */
export function commandManPages(pages: readonly CommandPage[]): ManFile[] {
  return pages.map((page) => manFile(manPageOf(page, pages)));
}

export function manFile(page: ManPage): ManFile {
  return { file: `${page.name}.${page.section}`, content: roffOf(page) };
}

function manPageOf(page: CommandPage, pages: readonly CommandPage[]): ManPage {
  const words = page.name.split(' ');
  const isProgram = words.length === 1;
  return {
    name: words.join('-'),
    section: 1,
    summary: page.summary.charAt(0).toLowerCase() + page.summary.slice(1).replace(/\.$/, ''),
    synopsis: [`${page.name} ${page.usage}`],
    parts: [
      { title: 'DESCRIPTION', paragraphs: [sentenceOf(page.summary)] },
      { title: 'OPTIONS', rows: page.options },
      { title: 'COMMANDS', rows: isProgram ? leaves(pages) : page.commands },
      { title: 'NOTES', paragraphs: page.paragraphs },
      { title: 'EXAMPLES', typed: page.examples },
    ] satisfies ManPart[],
    seeAlso: isProgram
      ? ['lamina-update.json(5)', 'laminafs(8)', ...pages.slice(1).map(({ name }) => `${name.replaceAll(' ', '-')}(1)`)]
      : [...words.slice(1, -1).map((_, i) => `${words.slice(0, i + 2).join('-')}(1)`), 'lamina(1)'],
  };
}

const leaves = (pages: readonly CommandPage[]) =>
  pages
    .slice(1)
    .filter(({ commands }) => commands.length === 0)
    .map(({ name, summary }) => ({ term: name, text: summary }));
