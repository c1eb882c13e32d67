import { bytesOf, linesOf, mergeKeyed, pick, textOf, textOfLines } from './keyed.js';
import type { Records } from './keyed.js';
import { Clash, quoted } from './outcome.js';
import type { Versions } from './outcome.js';

/** A file of accounts: lines of fields, the name first. */
export interface AccountFile {
  readonly what: 'user' | 'group';
  readonly fields: readonly string[];
  /** The field that no two names may share. */
  readonly id?: number;
  /** Lists of names. */
  readonly lists?: readonly number[];
  /** A day: the later one counts, but 0 above all: the password must be changed at the next login. */
  readonly day?: number;
}

export const accountFiles: Readonly<Record<string, AccountFile>> = {
  passwd: { what: 'user', fields: ['name', 'password', 'uid', 'gid', 'comment', 'home', 'shell'], id: 2 },
  group: { what: 'group', fields: ['name', 'password', 'gid', 'members'], id: 2, lists: [3] },
  shadow: {
    what: 'user',
    fields: ['name', 'password', 'day of change', 'minimum', 'maximum', 'warning', 'inactive', 'expiry', 'reserved'],
    day: 2,
  },
  gshadow: { what: 'group', fields: ['name', 'password', 'administrators', 'members'], lists: [2, 3] },
};

/** passwd(5), group(5), shadow(5), gshadow(5), by names. @throws Clash */
export function mergeAccounts(file: AccountFile, { base, ours, theirs }: Versions): Uint8Array {
  const [b, o, t] = [base, ours, theirs].map((version) => recordsOf(file, textOf(version)));
  if (b === undefined || o === undefined || t === undefined) throw new Error('internal error: three versions');
  const merged = mergeKeyed(b, o, t, (key, ...versions) => mergeAccount(file, key, versions));
  checkIds(file, merged, [o, t]);
  return bytesOf(textOfLines(merged.values()));
}

function recordsOf({ what, fields }: AccountFile, text: string): Records {
  const records = new Map<string, string>();
  const others = new Map<string, number>();
  for (const line of linesOf(text)) {
    // Comments, and entries of NIS: the same line again is another one.
    const isAccount = line !== '' && !/^[#+-]/.test(line);
    const parts = line.split(':');
    if (isAccount && parts.length !== fields.length)
      throw new Clash(`the line of ${quoted(parts[0] ?? '')} does not have ${fields.length} fields`);
    const count = (others.get(line) ?? 0) + 1;
    if (!isAccount) others.set(line, count);
    const key = isAccount ? (parts[0] ?? '') : `:${count} ${line}`;
    if (records.has(key)) throw new Clash(`${what} ${quoted(key)} occurs twice in one version`);
    records.set(key, line);
  }
  return records;
}

function mergeAccount(file: AccountFile, name: string, [base, ours, theirs]: (string | undefined)[]): string {
  if (ours === undefined || theirs === undefined) {
    const [gone, other] = ours === undefined ? ['container', 'update'] : ['update', 'container'];
    throw new Clash(`${file.what} ${quoted(name)} was removed by the ${gone} and changed by the ${other}`);
  }
  const [b, o, t] = [base?.split(':') ?? [], ours.split(':'), theirs.split(':')];
  return file.fields
    .map((field, at) => mergeField(file, { name, field, at }, [b[at], o[at] ?? '', t[at] ?? '']))
    .join(':');
}

interface FieldOf {
  readonly name: string;
  readonly field: string;
  readonly at: number;
}

function mergeField(
  { what, id, lists, day }: AccountFile,
  { name, field, at }: FieldOf,
  [base, ours, theirs]: readonly [string | undefined, string, string],
): string {
  const both = (): string => {
    if (ours === theirs) return ours;
    if (lists?.includes(at) === true) return mergeList(base ?? '', ours, theirs);
    if (at === day && /^\d+$/.test(ours) && /^\d+$/.test(theirs)) return countingDay(ours, theirs);
    // Neither a password nor a comment is shown.
    const values = at === id ? `: ${quoted(ours)} in the container and ${quoted(theirs)} in the update` : '';
    throw new Clash(`${what} ${quoted(name)} has two versions of its ${field}${values}`);
  };
  return base === undefined ? both() : pick(base, ours, theirs, both);
}

function countingDay(ours: string, theirs: string): string {
  const [own, other] = [Number(ours), Number(theirs)];
  return own === 0 || (other !== 0 && own > other) ? ours : theirs;
}

function mergeList(base: string, ours: string, theirs: string): string {
  const listed = (text: string) =>
    new Map(
      text
        .split(',')
        .filter((each) => each !== '')
        .map((each) => [each, each]),
    );
  return [...mergeKeyed(listed(base), listed(ours), listed(theirs), (_key, _base, o) => o).values()].join(',');
}

/** An id that several names have on one side already is theirs to have. */
function checkIds({ what, fields, id }: AccountFile, merged: Records, sides: readonly Records[]): void {
  if (id === undefined) return;
  const holders = new Map<string, string[]>();
  for (const [name, line] of merged) {
    if (name.startsWith(':')) continue;
    const value = numberIn(line.split(':')[id] ?? '');
    const known = holders.get(value);
    if (known === undefined) holders.set(value, [name]);
    else known.push(name);
  }
  for (const [value, names] of holders) {
    if (names.length < 2) continue;
    const has = (side: Records, name: string) => numberIn(side.get(name)?.split(':')[id] ?? '') === value;
    if (sides.some((side) => names.every((name) => has(side, name)))) continue;
    const named = names.map(quoted).join(' and ');
    throw new Clash(
      `${fields[id] ?? 'id'} ${quoted(value)} would belong to ${what}s ${named}, each from one side alone`,
    );
  }
}

/** Zeros before a number do not make it another one. */
const numberIn = (field: string): string => field.replace(/^0+(?=\d)/, '');
