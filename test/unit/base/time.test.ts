import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { callAfter, longestTimerMs } from '../../../src/base/time.js';

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

it.each([0, 1, longestTimerMs, longestTimerMs + 1, 3 * longestTimerMs + 7])('calls after %d ms, once', (ms) => {
  const work = vi.fn();
  callAfter(ms, work);
  if (ms > 0) vi.advanceTimersByTime(ms - 1);
  expect(work).not.toHaveBeenCalled();
  vi.advanceTimersByTime(longestTimerMs);
  expect(work).toHaveBeenCalledTimes(1);
});

it('does not call once that is prevented', () => {
  const work = vi.fn();
  const prevent = callAfter(2 * longestTimerMs, work);
  vi.advanceTimersByTime(longestTimerMs + 1);
  prevent();
  vi.advanceTimersByTime(3 * longestTimerMs);
  expect(work).not.toHaveBeenCalled();
});
