import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { display, fromBuffer } from '../../../src/base/bytes.js';
import { PrintableText } from '../../../src/base/printable.js';

function shown(...chunks: (string | Buffer)[]): string {
  const text = new PrintableText();
  const parts = chunks.map((chunk) => text.add(Buffer.from(chunk as string)));
  return Buffer.concat([...parts, text.end()]).toString();
}

describe('what a program prints', () => {
  it.each([
    ['plain, ünïcode 漢字 🙂\tand tabs\n', 'plain, ünïcode 漢字 🙂\tand tabs\n'],
    ['\x1b]0;OWNED\x07\x1b[2J', '\\x1b]0;OWNED\\x07\\x1b[2J'],
    ['\x9b31m as UTF-8', '\\xc2\\x9b31m as UTF-8'],
    ['\x08\x7f\x00\x0e', '\\x08\\x7f\\x00\\x0e'],
    ['a\u202egnp.exe', 'a\\xe2\\x80\\xaegnp.exe'],
    ['10 %\r20 %\rdone\r\n', '10 %\n20 %\ndone\n'],
  ])('%j', (printed, expected) => {
    expect(shown(printed)).toBe(expected);
  });

  it('that is no UTF-8', () => {
    expect(shown(Buffer.from([0x9b, 0x33, 0x31, 0x6d, 0xff, 0xc3]))).toBe('\\x9b31m\\xff\\xc3');
  });

  it('is the same however it is cut into pieces, and never holds a control character', () => {
    const bytes = fc.uint8Array({ maxLength: 40 });
    const text = fc.string({ unit: 'binary', maxLength: 20 }).map((each) => new Uint8Array(Buffer.from(each)));
    fc.assert(
      fc.property(fc.oneof(bytes, text), fc.array(fc.nat(40)), (printed, cuts) => {
        const whole = shown(Buffer.from(printed));
        const text = new PrintableText();
        let pieces = '';
        let at = 0;
        for (const cut of [...cuts.sort((a, b) => a - b), printed.length]) {
          pieces += text.add(printed.subarray(at, Math.max(at, cut))).toString();
          at = Math.max(at, cut);
        }
        expect(pieces + text.end().toString()).toBe(whole);
        expect(whole).toMatch(/^[^\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]*$/);
      }),
    );
  });

  it('is shown as names are, but for line breaks, tabs and carriage returns', () => {
    const units = fc.constantFrom('a', '\x00', '\x9b', 'ü', '漢', '🙂', '\u202e', '\ufeff', '\ud7ff');
    const bytes = fc.uint8Array({ maxLength: 12 }).map((each) => Buffer.from(each));
    const text = fc.array(units, { maxLength: 8 }).map((each) => Buffer.from(each.join('')));
    fc.assert(
      fc.property(fc.array(fc.oneof(bytes, text), { maxLength: 6 }), (parts) => {
        const printed = Buffer.concat(parts).filter((byte) => ![0x09, 0x0a, 0x0d].includes(byte));
        expect(shown(Buffer.from(printed))).toBe(display(fromBuffer(Buffer.from(printed))));
      }),
      { numRuns: 1000 },
    );
  });
});
