import { Lexer, Parser, isScalar, parseAllDocuments, visit } from 'yaml';
import type { Document, YAMLMap } from 'yaml';
import { limitNamed, limits } from '../base/limits.js';

/** A text is not YAML that can be compared by its keys. The message says why. */
export class YamlFault extends Error {}

/**
 * The documents of an untrusted text, valid and with no key twice in a table.
 * @param schema `failsafe`: all scalars are texts
 * @throws YamlFault
 */
export function yamlDocuments(text: string, schema: 'core' | 'failsafe'): Document[] {
  checkNesting(text);
  // The library compares each key with all others of its table, and writes warnings with the content to standard error.
  const options = { version: '1.2', schema, uniqueKeys: false, logLevel: 'error' } as const;
  const documents = [...parseAllDocuments(text, options)];
  for (const document of documents) {
    const [error] = document.errors;
    if (error !== undefined) throw new YamlFault(`it is not valid YAML: ${error.message.split('\n')[0] ?? ''}`);
    visit(document, {
      Map: (_key, map) => {
        refuseTwice(map);
      },
    });
  }
  return documents;
}

/** Before they are composed: that recurses by the levels of the text, and ends the process where these are too many. */
function checkNesting(text: string): void {
  const parser = new Parser();
  for (const lexeme of new Lexer().lex(text)) {
    for (const _ of parser.next(lexeme));
    // The document, and a scalar, are no levels.
    if (parser.stack.length > limits.nesting.value + 3)
      throw new YamlFault(`it is nested too deeply; ${limitNamed(limits.nesting)}`);
  }
}

function refuseTwice({ items }: YAMLMap): void {
  const seen = new Set<unknown>();
  for (const { key } of items) {
    if (!isScalar(key)) continue;
    if (seen.has(key.value)) throw new YamlFault('it is not valid YAML: Map keys must be unique');
    seen.add(key.value);
  }
}
