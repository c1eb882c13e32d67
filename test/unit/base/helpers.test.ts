import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { mapLimit, settleLimit } from '../../../src/base/concurrency.js';
import { newId } from '../../../src/base/ids.js';
import { isoNow } from '../../../src/base/time.js';

describe('mapLimit', () => {
  it('keeps the order and the limit', async () => {
    let running = 0;
    let most = 0;
    const results = await mapLimit([5, 1, 4, 2, 3], 2, async (ms) => {
      most = Math.max(most, ++running);
      await sleep(ms);
      running--;
      return ms * 10;
    });
    expect(results).toEqual([50, 10, 40, 20, 30]);
    expect(most).toBe(2);
  });

  it('starts nothing after a failure, and waits for what runs', async () => {
    const ended: number[] = [];
    const started: number[] = [];
    const run = mapLimit([1, 2, 3, 4], 2, async (n) => {
      started.push(n);
      if (n === 1) throw new Error('one');
      await sleep(10);
      ended.push(n);
    });
    await expect(run).rejects.toThrow('one');
    expect([started, ended]).toEqual([[1, 2], [2]]);
  });

  it('refuses a limit that would never start anything', async () => {
    await expect(mapLimit([1], 0, async () => Promise.resolve())).rejects.toThrow(RangeError);
  });
});

it('settleLimit tries every item', async () => {
  const outcomes = await settleLimit(['a', 'b', 'c'], 1, async (item) => {
    if (item === 'b') throw new Error('no');
    return Promise.resolve(item.toUpperCase());
  });
  expect(outcomes).toMatchObject([
    { item: 'a', ok: true, value: 'A' },
    { item: 'b', ok: false, error: { message: 'no' } },
    { item: 'c', ok: true, value: 'C' },
  ]);
});

it('ids are a prefix and 16 hexadecimal digits, and differ', () => {
  const ids = Array.from({ length: 100 }, () => newId('d'));
  expect(new Set(ids).size).toBe(100);
  for (const id of ids) expect(id).toMatch(/^d-[0-9a-f]{16}$/);
});

it('time is ISO 8601 in UTC with milliseconds', () => {
  expect(isoNow()).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
});
