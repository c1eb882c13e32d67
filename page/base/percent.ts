/*
 * Percent-encoding of names whose bytes are not all UTF-8: in documents such a byte is U+DC80…U+DCFF (docs/format.md),
 * in addresses it is the byte itself.
 */

const loneSurrogate = /[\ud800-\udfff]/u;
const strayByte = /[\udc80-\udcff]/u;

/** Other lone surrogates stand for no bytes: they become U+FFFD. */
export function encoded(text: string): string {
  let result = '';
  for (const char of text)
    result += strayByte.test(char)
      ? `%${(char.charCodeAt(0) - 0xdc00).toString(16).toUpperCase()}`
      : encodeURIComponent(char.replace(loneSurrogate, '\ufffd'));
  return result;
}

/** What is not valid percent-encoding is read as it stands: somebody typed it. */
export const decoded = (text: string): string => text.replace(/(?:%[0-9a-f]{2})+/gi, decodedRun);

function decodedRun(run: string): string {
  let result = '';
  for (let at = 0; at < run.length;) {
    const byte = Number.parseInt(run.slice(at + 1, at + 3), 16);
    const length = byte < 0x80 ? 1 : byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
    const char = character(run.slice(at, at + 3 * length));
    result += char ?? String.fromCharCode(0xdc00 + byte);
    at += char === undefined ? 3 : 3 * length;
  }
  return result;
}

function character(escaped: string): string | undefined {
  try {
    return decodeURIComponent(escaped);
  } catch {
    return undefined; // these bytes are no character: the caller keeps the first of them as a byte
  }
}

type Query = Readonly<Record<string, string | undefined>>;

/** `?a=b&c=d`, or nothing. Undefined and empty values are left out. */
export function queryText(query: Query): string {
  const given = Object.entries(query).filter((entry): entry is [string, string] => (entry[1] ?? '') !== '');
  return given.length === 0 ? '' : `?${given.map(([name, value]) => `${encoded(name)}=${encoded(value)}`).join('&')}`;
}

export function parseQuery(text: string): ReadonlyMap<string, string> {
  const pairs = text.split('&').filter((part) => part !== '');
  return new Map(
    pairs.map((pair) => {
      const [name = '', value = ''] = pair.split(/=(.*)/s).map((part) => decoded(part.replaceAll('+', ' ')));
      return [name, value];
    }),
  );
}
