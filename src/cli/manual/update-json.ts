import type { Row } from './page.js';
import type { ManPage } from './roff.js';

interface Field {
  readonly type?: string;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Field>>;
  readonly required?: readonly string[];
}

/** The smallest useful package, and one with a health check. */
export const packageExamples: readonly object[] = [
  { version: 1, procedure: 'run.sh' },
  {
    version: 1,
    name: 'openssl-fix',
    base: 'debian',
    from: '>=12.1 <12.4',
    to: '12.4',
    procedure: 'run.sh',
    health: { command: 'nginx -t' },
  },
];

/** The page of update.json. @param schema the JSON Schema of it */
export function updateJsonPage(schema: object): ManPage {
  return {
    name: 'lamina-update.json',
    section: 5,
    summary: 'description of a Lamina update package',
    synopsis: ['<package>/update.json'],
    parts: [
      {
        title: 'DESCRIPTION',
        paragraphs: [
          'An update package is a directory, or a tar of one (plain, gzip, xz or zstd), that holds update.json, a JSON object with the fields below. Other fields are refused.',
        ],
      },
      { title: 'FIELDS', rows: rowsOf(schema, '') },
      {
        title: 'EXAMPLES',
        typed: packageExamples.flatMap((example) => [...JSON.stringify(example, null, 2).split('\n'), '']).slice(0, -1),
      },
    ],
    seeAlso: ['lamina-update-apply(1)', 'lamina-watch(1)'],
  };
}

function rowsOf({ properties = {}, required = [] }: Field, prefix: string): Row[] {
  return Object.entries(properties).flatMap(([name, field]) => {
    const kind = [field.type === undefined ? [] : [field.type], required.includes(name) ? ['needed'] : []].flat();
    const text = [...(field.description === undefined ? [] : [`${field.description}.`]), `(${kind.join(', ')})`];
    return [{ term: `${prefix}${name}`, text: text.join(' ') }, ...rowsOf(field, `${prefix}${name}.`)];
  });
}
