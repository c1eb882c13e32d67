import { usage } from '../base/errors.js';
import type { SnapshotData } from '../app/snapshots.js';
import { patternOf } from './pattern.js';

/*
 * Filters of containerd (pkg/filters): selectors with commas between them, all of which must match; several filters:
 * one of them must.
 *
 *   selector  := fieldpath [ ("==" | "!=" | "~=") value ]
 *   fieldpath := field { "." field }        field := quoted | [A-Za-z0-9_]+
 *   value     := quoted | characters up to a comma or a space
 *   quoted    := "…" with the escapes of a Go string; after ~= also /…/ and |…|
 */

export type Matches = (snapshot: SnapshotData) => boolean;

/** Of all filters of a call together, in characters. */
const longest = 16_384;

/** @throws LaminaError usage: a filter that is none */
export function parseFilters(filters: readonly string[]): Matches {
  if (filters.reduce((sum, { length }) => sum + length, 0) > longest)
    throw usage(`the filters are longer than ${longest} characters`, { code: 'BAD_FILTER' });
  const all = filters.map((text) => new Parser(text).filter());
  return (snapshot) => all.length === 0 || all.some((matches) => matches(snapshot));
}

class Parser {
  #at = 0;

  constructor(readonly text: string) {}

  filter(): Matches {
    if (this.text === '') return () => true;
    const selectors = [this.#selector()];
    while (this.#at < this.text.length) {
      if (!this.#take(',')) throw this.#wrong('a comma is expected');
      selectors.push(this.#selector());
    }
    return (snapshot) => selectors.every((matches) => matches(snapshot));
  }

  #selector(): Matches {
    this.#space();
    const path = [this.#field()];
    while (this.#take('.')) path.push(this.#field());
    this.#space();
    const operator = ['==', '!=', '~='].find((each) => this.#take(each));
    if (operator === undefined) return (snapshot) => fieldOf(snapshot, path) !== undefined;
    this.#space();
    const value = this.#value(operator === '~=');
    this.#space();
    if (operator === '==') return (snapshot) => fieldOf(snapshot, path) === value;
    // To these a field that is not there is empty.
    if (operator === '!=') return (snapshot) => (fieldOf(snapshot, path) ?? '') !== value;
    const pattern = this.#pattern(value);
    return (snapshot) => pattern.test(fieldOf(snapshot, path) ?? '');
  }

  #field(): string {
    if (this.text[this.#at] === '"') return this.#quoted();
    return this.#match(/[A-Za-z0-9_]+/y) ?? this.#fail('the name of a field is expected');
  }

  #value(isPattern: boolean): string {
    const quote = this.text[this.#at];
    if (quote === '"' || (isPattern && (quote === '/' || quote === '|'))) return this.#quoted();
    return this.#match(/[^\s,]+/y) ?? this.#fail('a value is expected');
  }

  #quoted(): string {
    const quote = this.text[this.#at++] ?? '';
    const value: Buffer[] = [];
    for (;;) {
      const character = this.#match(/[^\n]/uy);
      if (character === undefined) throw this.#wrong('a quote is not closed');
      if (character === quote) return Buffer.concat(value).toString('utf8');
      value.push(character === '\\' ? this.#escape(quote) : Buffer.from(character));
    }
  }

  /** Octal digits and `\x` are of one byte, `\u` and `\U` of a character. */
  #escape(quote: string): Buffer {
    if (this.#take(quote)) return Buffer.from(quote);
    const short = this.#match(/[abfnrtv\\]/y);
    if (short !== undefined) return Buffer.from(shortEscapes[short] ?? '');
    const octal = this.#match(/[0-3][0-7]{2}/y);
    if (octal !== undefined) return Buffer.of(parseInt(octal, 8));
    const byte = this.#match(/x[0-9A-Fa-f]{2}/y);
    if (byte !== undefined) return Buffer.from(byte.slice(1), 'hex');
    const digits = this.#match(/u[0-9A-Fa-f]{4}|U000[0-9A-Fa-f]{5}|U0010[0-9A-Fa-f]{4}/y);
    const code = parseInt(digits?.slice(1) ?? '', 16);
    if (Number.isNaN(code)) throw this.#wrong('it is not an escape sequence');
    return Buffer.from(String.fromCodePoint(code));
  }

  #pattern(value: string): RegExp {
    try {
      return patternOf(value);
    } catch {
      throw this.#wrong('it is not a regular expression');
    }
  }

  #space(): void {
    this.#match(/\s+/y);
  }

  #take(expected: string): boolean {
    if (!this.text.startsWith(expected, this.#at)) return false;
    this.#at += expected.length;
    return true;
  }

  /** @param pattern sticky */
  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const [found] = pattern.exec(this.text) ?? [];
    this.#at += found?.length ?? 0;
    return found;
  }

  #wrong(what: string) {
    const shown = JSON.stringify(this.text.slice(0, 200));
    return usage(`the filter ${shown} is not valid at character ${this.#at + 1}: ${what}`, { code: 'BAD_FILTER' });
  }

  #fail(what: string): never {
    throw this.#wrong(what);
  }
}

const shortEscapes: Readonly<Record<string, string>> = {
  ...{ a: '\x07', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v', '\\': '\\' },
};

/** Undefined: it has no such field. */
function fieldOf(snapshot: SnapshotData, [field, ...path]: readonly string[]): string | undefined {
  switch (field) {
    case 'name':
      return snapshot.name;
    case 'parent':
      return snapshot.parent;
    case 'kind':
      return snapshot.kind;
    case 'labels': {
      const key = path.join('.');
      return Object.hasOwn(snapshot.labels, key) ? snapshot.labels[key] : undefined;
    }
    default:
      return undefined;
  }
}
