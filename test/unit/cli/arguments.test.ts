import { describe, expect, it } from 'vitest';
import { countOf, numberOf, secondsOf } from '../../../src/cli/arguments.js';

const notOne = ['', ' ', '.', '-1', '+1', '1e3', '0x10', '1,5', 'Infinity', 'NaN', '1_000', '٣', '9'.repeat(40)];

describe('a number in an option', () => {
  it('is decimal, and nothing else', () => {
    expect([numberOf('cpus', '1.5'), numberOf('cpus', '.5'), numberOf('cpus', '012')]).toEqual([1.5, 0.5, 12]);
    for (const text of [...notOne, '0', '0.0']) expect(() => numberOf('cpus', text)).toThrow('--cpus');
  });

  it('is whole where things are counted', () => {
    expect([countOf('jobs', '2', 1), countOf('after', '0'), countOf('jobs', undefined)]).toEqual([2, 0, undefined]);
    for (const text of [...notOne, '1.5', '0']) expect(() => countOf('jobs', text, 1)).toThrow('1 or more');
  });

  it('of seconds is bounded, for no timer may be longer than those of packages', () => {
    expect([secondsOf('timeout', '0.5'), secondsOf('timeout', '2592000')]).toEqual([0.5, 2_592_000]);
    for (const text of ['2592001', '99999999999']) expect(() => secondsOf('timeout', text)).toThrow('30 days');
    for (const text of [...notOne, '0']) expect(() => secondsOf('timeout', text)).toThrow('--timeout');
  });
});
