import { fromBuffer, toText } from '../base/bytes.js';

/** Parameters of one address. */
const mostParameters = 100;
/** The parameter that stands for an address that is none: no route has it, so each refuses it. */
const malformed = { 'malformed address': '' };

/**
 * The parameters of an address. Percent escapes stand for bytes: those that are not UTF-8 become U+DC80…U+DCFF, as in
 * every document (docs/format.md). A parameter that occurs several times is a list.
 * Never throws: the framework has no answer to that.
 */
export function parseQuery(text: string): Record<string, unknown> {
  const query: Record<string, unknown> = {};
  if (text === '') return query;
  const parts = text.split('&');
  if (parts.length > mostParameters || /%(?![0-9a-f]{2})/i.test(text)) return malformed;
  for (const part of parts) {
    if (part === '') continue;
    const [name = '', value = ''] = part.split(/=(.*)/s).map(unescape);
    const before = Object.hasOwn(query, name) ? query[name] : undefined;
    const next = before === undefined ? value : [...(Array.isArray(before) ? (before as unknown[]) : [before]), value];
    Object.defineProperty(query, name, { value: next, enumerable: true, configurable: true, writable: true });
  }
  return query;
}

function unescape(text: string): string {
  const bytes = Buffer.from(text.replaceAll('+', ' '), 'utf8').toString('latin1');
  const plain = bytes.replace(/%(..)/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16)));
  return toText(fromBuffer(Buffer.from(plain, 'latin1')));
}
