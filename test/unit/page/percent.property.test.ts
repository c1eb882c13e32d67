import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decoded, encoded, parseQuery, queryText } from '../../../page/base/percent.js';
import { fromBuffer, toText } from '../../../src/base/bytes.js';

/** Names as documents have them: of any bytes. */
const names = fc.uint8Array({ maxLength: 40 }).map((bytes) => toText(fromBuffer(bytes)));

describe('percent-encoding of names', () => {
  it('gives back every name, whatever its bytes are', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          names,
          fc.array(fc.constantFrom('ä', '😀', '%', '&', '=', '+', '/', '#', '?', 'a')).map((chars) => chars.join('')),
        ),
        (name) => {
          expect(encoded(name)).toMatch(/^[\x21-\x7e]*$/);
          expect(decoded(encoded(name))).toBe(name);
        },
      ),
    );
  });

  it('writes a byte that is not UTF-8 as that byte', () => {
    expect(encoded('caf\udce9/ä')).toBe('caf%E9%2F%C3%A4');
    expect(decoded('caf%E9%2F%C3%A4')).toBe('caf\udce9/ä');
  });

  it('reads what is no valid escape as it stands', () => {
    expect(decoded('100%')).toBe('100%');
    expect(decoded('%zz%41')).toBe('%zzA');
  });

  it('gives back every query', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom('path', 'find', 'node'), names), (query) => {
        const given = Object.entries(query).filter(([, value]) => value !== '');
        expect([...parseQuery(queryText(query).slice(1))].sort()).toEqual(given.sort());
      }),
    );
  });
});
