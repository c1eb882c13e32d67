import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  basename,
  compareBytes,
  components,
  dirname,
  display,
  fromBuffer,
  fromText,
  isBelow,
  join,
  nameWithEnding,
  printable,
  toBuffer,
  toText,
} from '../../../src/base/bytes.js';

const anyBytes = fc.uint8Array({ maxLength: 40 }).map((bytes) => fromBuffer(bytes));
/** Bytes that are often nearly UTF-8: leads, continuations, surrogates encoded, overlong forms. */
const nearUtf8 = fc
  .array(fc.constantFrom(0x41, 0x80, 0xbf, 0xc0, 0xc3, 0xe0, 0xa0, 0xed, 0xef, 0xf0, 0x90, 0xf4, 0xff), {
    maxLength: 12,
  })
  .map((bytes) => fromBuffer(Uint8Array.from(bytes)));

describe('text of bytes', () => {
  it('gives every byte string back', () => {
    for (const bytes of [anyBytes, nearUtf8]) {
      fc.assert(fc.property(bytes, (path) => fromText(toText(path)) === path));
      fc.assert(fc.property(bytes, (path) => fromText(JSON.parse(JSON.stringify(toText(path))) as string) === path));
      fc.assert(fc.property(bytes, (path) => fromBuffer(toBuffer(path)) === path));
    }
  });

  it('is what Python calls surrogateescape', () => {
    expect(toText(fromBuffer(Buffer.from('caf\u00e9', 'utf8')))).toBe('café');
    expect(toText(fromBuffer(Buffer.from([0x61, 0xff, 0xc3, 0xa9, 0xc3])))).toBe('a\udcffé\udcc3');
    expect(toText(fromBuffer(Buffer.from([0xed, 0xb2, 0x80])))).toBe('\udced\udcb2\udc80');
    expect(toText(fromBuffer(Buffer.from('𝄞', 'utf8')))).toBe('𝄞');
  });

  it('refuses a surrogate that stands for no byte', () => {
    expect(() => fromText('a\ud800')).toThrow(RangeError);
    expect(() => fromText('\udc7f')).toThrow(/U\+DC7F/);
    expect(toBuffer(fromText('ü'))).toEqual(Buffer.from('ü', 'utf8'));
  });

  it('is shown without what would upset a terminal', () => {
    expect(display(fromText('/srv/plain name'))).toBe('/srv/plain name');
    expect(display(fromText('grün'))).toBe('grün');
    expect(display(fromText('a\nb\u001b[0m'))).toBe('a\\x0ab\\x1b[0m');
    expect(display(fromBuffer(Buffer.from([0x61, 0xff])))).toBe('a\\xff');
    expect(display(fromText('evil\u202etxt'))).toBe('evil\\xe2\\x80\\xaetxt');
    fc.assert(fc.property(anyBytes, (path) => !/[\u0000-\u001f\u007f-\u009f]/.test(display(path))));
  });
});

describe('a text for a terminal', () => {
  it('keeps its lines, and nothing that would upset it', () => {
    expect(printable('línea\n\tx\u001b[31mred\r\u202e')).toBe('línea\n\tx\\x1b[31mred\\x0d\\xe2\\x80\\xae');
  });
});

describe('parts of a path', () => {
  it('joins', () => {
    expect(join('/', 'a')).toBe('/a');
    expect(join('/a/', '/b', '', 'c')).toBe('/a/b/c');
    expect(join('', 'a')).toBe('a');
    expect(join('a', '..')).toBe('a/..');
  });

  it('splits', () => {
    const rows: [string, string, string][] = [
      ['/a/b', '/a', 'b'],
      ['/a', '/', 'a'],
      ['a', '', 'a'],
      ['a/b', 'a', 'b'],
      ['/', '/', ''],
      ['', '', ''],
    ];
    for (const [path, directory, base] of rows) {
      expect([dirname(fromText(path)), basename(fromText(path))], path).toEqual([directory, base]);
    }
    expect(components(fromText('//a/b/'))).toEqual(['a', 'b']);
  });

  it('give a name its ending within 255 bytes, whole characters of it', () => {
    expect(nameWithEnding('a', '.new')).toBe('a.new');
    expect(nameWithEnding('n'.repeat(251), '.new')).toBe(`${'n'.repeat(251)}.new`);
    expect(nameWithEnding('n'.repeat(252), '.new')).toBe(`${'n'.repeat(251)}.new`);
    const euro = fromText(`${'n'.repeat(249)}€`);
    expect(nameWithEnding(euro, '.new')).toBe(`${'n'.repeat(249)}.new`);
    const noText = '\xac'.repeat(255);
    expect(nameWithEnding(noText, '.new')).toBe(`${'\xac'.repeat(251)}.new`);
  });

  it('knows what is below what', () => {
    const below = (path: string, directory: string) => isBelow(fromText(path), fromText(directory));
    expect(below('/a/b', '/a')).toBe(true);
    expect(below('/ab', '/a')).toBe(false);
    expect(below('/a', '/a')).toBe(false);
    expect(below('/a', '/')).toBe(true);
    expect(below('/', '/')).toBe(false);
    expect(below('a', '')).toBe(true);
  });

  it('orders as memcmp does', () => {
    fc.assert(
      fc.property(anyBytes, anyBytes, (a, b) => compareBytes(a, b) === Buffer.compare(toBuffer(a), toBuffer(b))),
    );
  });
});
