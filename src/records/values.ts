import { isDeepStrictEqual } from 'node:util';
import { limitNamed, limits } from '../base/limits.js';
import { Clash, OtherFormat, quoted } from './outcome.js';

/** What JSON can hold; undefined: there is no such key. */
export type Value = unknown;
type Table = Readonly<Record<string, Value>>;

const isTable = (value: Value): value is Table => typeof value === 'object' && value !== null && !Array.isArray(value);

/** Three versions of a value, tables by their keys; lists are values. @throws Clash; OtherFormat: too deep */
export function mergeValues(base: Value, ours: Value, theirs: Value, path: readonly string[] = []): Value {
  if (path.length > limits.nesting.value)
    throw new OtherFormat(`it is nested too deeply; ${limitNamed(limits.nesting)}`);
  if (isDeepStrictEqual(ours, theirs) || isDeepStrictEqual(theirs, base)) return ours;
  if (isDeepStrictEqual(ours, base)) return theirs;
  const at = quoted(Buffer.from(path.join('.') || 'the document').toString('latin1'));
  if (ours === undefined) throw new Clash(`${at} was removed by the container and changed by the update`);
  if (theirs === undefined) throw new Clash(`${at} was removed by the update and changed by the container`);
  if (!isTable(ours) || !isTable(theirs) || !(base === undefined || isTable(base)))
    throw new Clash(`${at} has two new values`);
  const was = base ?? {};
  const keys = new Set([...Object.keys(ours), ...Object.keys(theirs)]);
  const merged = [...keys].flatMap((key): [string, Value][] => {
    const value = mergeValues(own(was, key), own(ours, key), own(theirs, key), [...path, key]);
    return value === undefined ? [] : [[key, value]];
  });
  return Object.fromEntries(merged);
}

export function own(table: Table, key: string): Value {
  return Object.hasOwn(table, key) ? table[key] : undefined;
}

export { isTable };
