import ini from 'ini';
import { limitNamed, limits } from '../base/limits.js';
import { YamlFault, yamlDocuments } from './yaml-text.js';

/** One key of a configuration file that differs between two versions of it. */
export interface KeyChange {
  /** In the usual notation: `[server] port`, `a.b[0]`, `root shell`. */
  readonly key: string;
  /** Null: the key is missing; in a file of secrets both values are left out (`hidden`). */
  readonly before: string | null;
  readonly after: string | null;
}

export type KeyFormat = 'ini' | 'json' | 'yaml' | 'key-value' | 'accounts';

/** Why a file is not compared by its keys. */
export class NoKeys extends Error {}

type Keys = ReadonlyMap<string, string>;

const accountFields: Readonly<Record<string, readonly string[]>> = {
  passwd: ['password', 'uid', 'gid', 'comment', 'home', 'shell'],
  group: ['password', 'gid', 'members'],
  shadow: ['password', 'changed', 'minimum', 'maximum', 'warning', 'inactive', 'expires', 'reserved'],
  gshadow: ['password', 'administrators', 'members'],
};
/** `passwd-` is the copy that the shadow tools keep. */
const accountName = (name: string) => name.replace(/-$/, '');

/** Files with secret values. @param name a file's name, without directory */
export function isSecret(name: string): boolean {
  return ['shadow', 'gshadow'].includes(accountName(name));
}

/** How a file's keys would be read, by its name and content; undefined: the format is not known. */
export function keyFormatOf(name: string, text: string): KeyFormat | undefined {
  if (Object.hasOwn(accountFields, accountName(name))) return 'accounts';
  if (/\.json$/i.test(name)) return 'json';
  if (/\.ya?ml$/i.test(name)) return 'yaml';
  const lines = text.split('\n').filter((line) => !/^\s*([#;]|$)/.test(line));
  if (lines.length === 0) return undefined;
  const assigns = (line: string) => /^\s*(export\s+)?[A-Za-z_][\w.-]*\s*=/.test(line);
  const heads = (line: string) => /^\s*\[[^\]]+\]\s*$/.test(line);
  if (lines.every(assigns)) return 'key-value';
  return lines.some(heads) && lines.every((line) => heads(line) || assigns(line)) ? 'ini' : undefined;
}

/**
 * The keys that differ, in the order of the file as it is afterwards, then the removed ones.
 * @throws NoKeys (and why) where either text cannot be parsed, or its keys do not represent all of it
 */
export function keyChanges(name: string, format: KeyFormat, before: string, after: string): KeyChange[] {
  const [a, b] = [keysOf(name, format, before), keysOf(name, format, after)];
  const hidden = isSecret(name);
  const value = (keys: Keys, key: string) => (hidden ? null : (keys.get(key) ?? null));
  const changes = [...new Set([...b.keys(), ...a.keys()])]
    .filter((key) => a.get(key) !== b.get(key))
    .map((key) => ({ key, before: value(a, key), after: value(b, key) }));
  if (changes.length === 0) throw new NoKeys('no value changed, only layout, order or comments');
  return changes;
}

function keysOf(name: string, format: KeyFormat, text: string): Keys {
  switch (format) {
    case 'accounts':
      return accountKeys(name, text);
    case 'key-value':
      return assignments(text);
    case 'ini':
      return iniKeys(text);
    case 'json':
      return flattened(parsed('JSON', () => JSON.parse(text) as unknown));
    case 'yaml':
      return yamlKeys(text);
  }
}

function parsed<T>(format: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (error instanceof NoKeys) throw error;
    if (error instanceof YamlFault) throw new NoKeys(error.message);
    throw new NoKeys(
      `it is not valid ${format}: ${(error instanceof Error ? error.message : String(error)).split('\n')[0] ?? ''}`,
    );
  }
}

/** In a damaged file of secrets a password may stand where a name belongs: only what looks like a name is shown. */
const accountOfSecrets = /^[a-z_][\w.@-]{0,31}\$?$/i;

function accountKeys(name: string, text: string): Keys {
  const [fields, hidden] = [accountFields[accountName(name)] ?? [], isSecret(name)];
  const keys = new Map<string, string>();
  for (const line of text.split('\n').filter((each) => each !== '' && !each.startsWith('#'))) {
    const [account = '', ...values] = line.split(':');
    if (account === '' || values.length !== fields.length)
      throw new NoKeys('a line does not have the fields of such a file');
    if (hidden && !accountOfSecrets.test(account))
      throw new NoKeys('a line does not start with the name of an account');
    fields.forEach((field, at) => {
      put(keys, `${account} ${field}`, values[at] ?? '');
    });
  }
  return keys;
}

function assignments(text: string): Keys {
  const keys = new Map<string, string>();
  for (const line of text.split('\n').filter((each) => !/^\s*([#;]|$)/.test(each))) {
    const [, key, rest] = /^\s*(?:export\s+)?([A-Za-z_][\w.-]*)\s*=(.*)$/s.exec(line) ?? [];
    // Not by the regular expression: it would try every run of blanks from each of its positions.
    const value = rest?.trim();
    if (key === undefined || value === undefined || value.endsWith('\\')) throw new NoKeys('a line is not KEY=VALUE');
    put(keys, key, value);
  }
  return keys;
}

/** The library takes the last of two equal keys, and accepts anything as a line: such files are compared by lines. */
function iniKeys(text: string): Keys {
  const seen = new Set<string>();
  let section = '';
  for (const line of text.split('\n').filter((each) => !/^\s*([#;]|$)/.test(each))) {
    const head = /^\s*\[([^\]]+)\]\s*$/.exec(line)?.[1];
    const equals = line.indexOf('=');
    const key = equals < 0 ? undefined : line.slice(0, equals).trim() || undefined;
    if (head === undefined && key === undefined) throw new NoKeys('a line is neither a section nor KEY=VALUE');
    if (head !== undefined) section = head;
    const name = head === undefined ? `[${section}] ${key ?? ''}` : `[${head}]`;
    if (seen.has(name)) throw new NoKeys(`${name} occurs twice`);
    seen.add(name);
  }
  const keys = new Map<string, string>();
  for (const [top, value] of Object.entries(parsed('INI', () => ini.parse(text)))) {
    if (typeof value !== 'object' || value === null) put(keys, top, String(value));
    else for (const [key, each] of flattened(value)) put(keys, `[${top}] ${key}`, each);
  }
  return keys;
}

function yamlKeys(text: string): Keys {
  const keys = new Map<string, string>();
  const documents = parsed('YAML', () => yamlDocuments(text, 'core'));
  documents.forEach((document, at) => {
    const value: unknown = parsed('YAML', () => plainValue(document));
    for (const [key, each] of flattened(value))
      put(keys, documents.length > 1 ? `document ${at + 1} ${key}` : key, each);
  });
  return keys;
}

function plainValue(document: { toJS(options: { maxAliasCount: number }): unknown }): unknown {
  try {
    return document.toJS({ maxAliasCount: limits.aliases.value });
  } catch (error) {
    // The library throws this where aliases expand to too much.
    if (!(error instanceof ReferenceError && /alias count/.test(error.message))) throw error;
    throw new NoKeys(`its aliases expand to too much; ${limitNamed(limits.aliases)}`);
  }
}

function flattened(value: unknown): Keys {
  const keys = new Map<string, string>();
  flatten(value, '', 0, keys);
  return keys;
}

function flatten(value: unknown, key: string, depth: number, into: Map<string, string>): void {
  if (depth > limits.nesting.value) throw new NoKeys(`it is nested too deeply; ${limitNamed(limits.nesting)}`);
  const isEmpty = typeof value === 'object' && value !== null && Object.keys(value).length === 0;
  if (typeof value !== 'object' || value === null || isEmpty) {
    put(into, key === '' ? '(all)' : key, typeof value === 'string' ? value : JSON.stringify(value));
  } else if (Array.isArray(value)) {
    value.forEach((each, at) => {
      flatten(each, `${key}[${at}]`, depth + 1, into);
    });
  } else {
    for (const [name, each] of Object.entries(value)) {
      const part = /^[\w-]+$/.test(name) ? name : JSON.stringify(name);
      flatten(each, key === '' ? part : `${key}.${part}`, depth + 1, into);
    }
  }
}

function put(keys: Map<string, string>, key: string, value: string): void {
  if (keys.has(key)) throw new NoKeys(`${key} occurs twice`);
  keys.set(key, value);
}
