import { spawnSync } from 'node:child_process';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromBuffer, toText } from '../../../src/base/bytes.js';
import { spawnable } from '../../../src/platform/words.js';

/** What a program gets of words, as bytes. */
function received(words: readonly string[]): Buffer {
  const { command, args } = spawnable({ command: 'printf', args: ['%s\\0', ...words] });
  return spawnSync(command, args).stdout;
}

describe('the words of a program that is started', () => {
  it('leaves a call alone that Node can make', () => {
    const call = { command: 'a', args: ["it's", 'dïr', ''] };
    expect(spawnable(call)).toEqual(call);
  });

  it('get there byte by byte, whatever they are', () => {
    const byte = fc.integer({ min: 1, max: 255 });
    const word = fc.oneof(
      fc.array(byte, { maxLength: 8 }),
      fc.constant([0x80, 10, 10]),
      fc.constant([0x27, 0xff, 0x22, 0x24]),
    );
    fc.assert(
      fc.property(fc.array(word, { minLength: 1, maxLength: 3 }), (words) => {
        const bytes = words.map((each) => Buffer.from(each));
        const expected = Buffer.concat(bytes.flatMap((each) => [each, Buffer.from([0])]));
        expect(received(bytes.map((each) => toText(fromBuffer(each))))).toEqual(expected);
      }),
      { numRuns: 25 },
    );
  });
});
