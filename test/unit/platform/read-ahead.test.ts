import { writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { toBuffer } from '../../../src/base/bytes.js';
import { readAheadDistance, readingAhead } from '../../../src/platform/read-ahead.js';
import { temporaryDirectory } from './temporary.js';

const at = temporaryDirectory();

describe('reading ahead', () => {
  it.each([0, 1, readAheadDistance, 2 * readAheadDistance, 5 * readAheadDistance + 3])(
    'gives all items in their order, of which some have no file: %i',
    (count) => {
      const items = Array.from({ length: count }, (_, i) => i);
      writeFileSync(toBuffer(at('there')), 'x');
      const places = [toBuffer(at('there')), toBuffer(at('absent')), toBuffer(at('')), undefined];
      expect([...readingAhead(items, (item) => places[item % places.length])]).toEqual(items);
    },
  );

  it('takes items from its source no further ahead than it must', () => {
    let taken = 0;
    function* source() {
      for (;;) yield taken++;
    }
    const items = readingAhead(source(), () => undefined);
    expect(items.next().value).toBe(0);
    expect(taken).toBe(2 * readAheadDistance);
    items.return();
  });
});
