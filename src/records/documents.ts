import { isUtf8 } from 'node:buffer';
import { limitNamed, limits } from '../base/limits.js';
import { OtherFormat } from './outcome.js';
import type { Versions } from './outcome.js';
import { isTable, mergeValues } from './values.js';
import type { Value } from './values.js';

export function utf8(bytes: Uint8Array | undefined): string {
  if (bytes === undefined) throw new OtherFormat('there is no common ancestor');
  if (!isUtf8(bytes)) throw new OtherFormat('it is not UTF-8');
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
}

/** JSON by its keys, with the container's indentation. @throws Clash, OtherFormat */
export function mergeJson({ base, ours, theirs }: Versions): Uint8Array {
  const texts = [base, ours, theirs].map(utf8);
  const [b, o, t] = texts.map(parseJson);
  const merged = mergeValues(b, o, t);
  const own = texts[1] ?? '';
  const indent = /\n([ \t]+)\S/.exec(own)?.[1];
  return Buffer.from(JSON.stringify(merged, null, indent) + (own.endsWith('\n') ? '\n' : ''));
}

/** @throws OtherFormat: it is not JSON, or holds what JavaScript's numbers and tables would change */
function parseJson(text: string): Value {
  let value: Value;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new OtherFormat('it is not JSON', { cause: error });
  }
  // Of valid JSON each match is a whole text: of any other text this could take hours.
  const withoutTexts = text.replace(/"[^"\\]*(?:\\.[^"\\]*)*"/g, '""');
  for (const [number] of withoutTexts.matchAll(/-?\d[\d.eE+-]*/g))
    if (String(Number(number)) !== number) throw new OtherFormat('a number would change');
  // A key that occurs twice would be lost.
  const keys = [...withoutTexts.matchAll(/""\s*:/g)].length;
  if (keys !== countKeys(value, 0)) throw new OtherFormat('a key occurs twice');
  return value;
}

function countKeys(value: Value, depth: number): number {
  if (typeof value !== 'object' || value === null) return 0;
  if (depth > limits.nesting.value) throw new OtherFormat(`it is nested too deeply; ${limitNamed(limits.nesting)}`);
  const inside = Object.values(value).reduce((sum: number, each: Value) => sum + countKeys(each, depth + 1), 0);
  return inside + (isTable(value) ? Object.keys(value).length : 0);
}
