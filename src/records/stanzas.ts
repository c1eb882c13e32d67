import { bytesOf, mergeKeyed, pick, textOf } from './keyed.js';
import type { MergeRecord, Records } from './keyed.js';
import { Clash, OtherFormat, quoted } from './outcome.js';
import type { Versions } from './outcome.js';

/** The fields of a stanza, each with its name, colon and continuation lines, by name. */
export type Fields = ReadonlyMap<string, string>;

/** Paragraphs of fields with blank lines between, as deb822(5) has them. */
export function stanzasOf(text: string): string[] {
  return text.split(/\n\n+/).flatMap((stanza) => {
    const trimmed = stanza.replace(/^\n+|\n+$/g, '');
    return trimmed === '' ? [] : [trimmed];
  });
}

/** @throws OtherFormat */
export function fieldsOf(stanza: string): Fields {
  const fields = new Map<string, string>();
  let name: string | undefined;
  for (const line of stanza.split('\n')) {
    if (/^[ \t]/.test(line) && name !== undefined) {
      fields.set(name, `${fields.get(name) ?? ''}\n${line}`);
      continue;
    }
    const colon = line.indexOf(':');
    if (colon < 1) throw new OtherFormat('a line is not a field');
    name = line.slice(0, colon);
    if (fields.has(name)) throw new OtherFormat(`${name} occurs twice`);
    fields.set(name, line);
  }
  return fields;
}

export function valueOf(fields: Fields, name: string): string {
  return (fields.get(name) ?? '').slice(name.length + 1).trim();
}

export const stanzaText = (fields: Fields): string => [...fields.values()].join('\n');

/** @param keyOf undefined: the stanza has no key */
export function stanzaRecords(text: string, keyOf: (fields: Fields) => string | undefined): Records {
  const records = new Map<string, string>();
  for (const stanza of stanzasOf(text)) {
    const key = keyOf(fieldsOf(stanza));
    if (key === undefined) throw new OtherFormat('a paragraph has no name');
    if (records.has(key)) throw new OtherFormat(`${key} occurs twice`);
    records.set(key, stanza);
  }
  return records;
}

/** @param both of a stanza that both sides changed */
export function mergeStanzas(
  { base, ours, theirs }: Versions,
  keyOf: (fields: Fields) => string | undefined,
  both: MergeRecord,
): Map<string, string> {
  const of = (version: Uint8Array | undefined) => stanzaRecords(textOf(version), keyOf);
  return mergeKeyed(of(base), of(ours), of(theirs), both);
}

export function textOfStanzas(stanzas: Records): Uint8Array {
  return bytesOf([...stanzas.values()].map((stanza) => `${stanza}\n\n`).join(''));
}

/** debconf's databases, and apt's extended_states: of a field that both changed, the container's. */
export function mergeSettings(versions: Versions, keyOf: (fields: Fields) => string | undefined): Uint8Array {
  const both: MergeRecord = (key, base, ours, theirs) => {
    if (ours === undefined || theirs === undefined) return ours ?? theirs;
    const [b, o, t] = [
      base === undefined ? new Map<string, string>() : fieldsOf(base),
      fieldsOf(ours),
      fieldsOf(theirs),
    ];
    return stanzaText(mergeKeyed(b, o, t, (name, was, own, their) => mergeSetting(key, name, [was, own, their])));
  };
  return textOfStanzas(mergeStanzas(versions, keyOf, both));
}

function mergeSetting(key: string, name: string, [base, ours, theirs]: (string | undefined)[]): string | undefined {
  if (name !== 'Owners' || ours === undefined || theirs === undefined) return ours;
  const names = (field: string | undefined) =>
    new Map(
      (field ?? '')
        .slice(name.length + 1)
        .split(',')
        .map((each) => each.trim())
        .filter((each) => each !== '')
        .map((each) => [each, each]),
    );
  const merged = mergeKeyed(names(base), names(ours), names(theirs), (_key, _base, o) => o);
  if (merged.size === 0) throw new Clash(`${quoted(key)} would belong to no package`);
  return `${name}: ${[...merged.values()].join(', ')}`;
}

/** One field of three versions of a stanza, as `pick`; undefined: it is absent. */
export function pickField(
  name: string,
  [b, o, t]: readonly [Fields | undefined, Fields, Fields],
  both: () => string | undefined,
): string | undefined {
  return pick(b?.get(name), o.get(name), t.get(name), both);
}
