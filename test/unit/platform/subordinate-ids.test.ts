import { describe, expect, it } from 'vitest';
import { freeIds, mapOf, rangesOf } from '../../../src/platform/subordinate-ids.js';

const user = { name: 'ann', id: 1000 };

describe('subordinate ids', () => {
  it('are those of a name or a number, all of them, in their order', () => {
    const text = 'ann:100000:65536\nbob:165536:65536\n1000:300000:10\n\nann:400000:1\n';
    expect(rangesOf(text, user)).toEqual([
      { first: 100000, count: 65536 },
      { first: 300000, count: 10 },
      { first: 400000, count: 1 },
    ]);
    expect(mapOf(1000, rangesOf(text, user))).toBe('0 1000 1 1 100000 65536 65537 300000 10 65547 400000 1');
  });

  it.each([
    ['', 100_000],
    ['ann:100000:65536\nbob:300000:10\n', 300_010],
    ['ann:500:5\n', 100_000],
    ['ann:4294967000:200\n', undefined],
  ])('that are free lie above all others: %j', (text, first) => {
    expect(freeIds(text, 65_536)).toBe(first);
  });

  it.each([
    'ann:100000',
    'ann:x:1',
    'ann:1:0',
    'ann:-1:5',
    '# ann:1:5',
    'ann:4294967294:2',
    'ann:99999999999:1',
    'anna:1:5',
    'ann:1:5:6',
  ])('are none where a line makes no sense: %s', (line) => {
    expect(rangesOf(`${line}\n`, user)).toEqual([]);
    expect(mapOf(1000, rangesOf(line, user))).toBeUndefined();
  });
});
