import { expect, it } from 'vitest';
import { someOf } from '../../../src/base/some-of.js';

it('names some of many, and counts the others', () => {
  expect(someOf([])).toBe('');
  expect(someOf(['a', 'b'], 2)).toBe('a, b');
  expect(someOf(['a', 'b', 'c', 'd'], 2)).toBe('a, b and 2 more');
  expect(someOf(Array.from({ length: 100_000 }, (_, i) => `/srv/${i}`)).length).toBeLessThan(300);
});
