import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { limitNamed, limitText, limits, overLimit } from '../../../src/base/limits.js';
import { checkout } from '../../support/lamina.js';

/** The rows of the table in docs/security.md: name, value, tests. */
function documented(): { name: string; value: string; tests: string[] }[] {
  const text = readFileSync(join(checkout, 'docs/security.md'), 'utf8');
  const [, section = ''] = /^## Limits of input\n(.*?)^## /ms.exec(text) ?? [];
  const rows = section.split('\n').filter((line) => line.startsWith('| '));
  return rows.slice(2).map((row) => {
    const [name = '', value = '', , , tests = ''] = row.slice(2, -2).split(' | ');
    return { name, value, tests: [...tests.matchAll(/`([^`]+)`/g)].map(([, path = '']) => path) };
  });
}

describe('the limits of input', () => {
  const rows = documented();

  it('are those of docs/security.md, in the same order', () => {
    const ours = Object.values(limits).map((limit) => [limit.name, limitText(limit)]);
    expect(rows.map(({ name, value }) => [name, value])).toEqual(ours);
    expect(new Set(ours.map(([name]) => name)).size).toBe(ours.length);
  });

  it.each(Object.entries(limits))('are each tried in the tests that are named: %s', (key, { name }) => {
    const tests = rows.find((row) => row.name === name)?.tests ?? [];
    expect(tests.length).toBeGreaterThan(0);
    for (const test of tests) {
      const text = readFileSync(join(checkout, test), 'utf8');
      // By the limit itself, by its key in a table of cases, or by what a refusal says.
      expect({ test, key, tried: [`limits.${key}`, `'${key}'`, `'${name}'`].some((by) => text.includes(by)) }).toEqual({
        test,
        key,
        tried: true,
      });
    }
  });

  it('are shown with their values', () => {
    expect(limitNamed(limits.pathDepth)).toBe("the limit 'path depth' is 32,768 bytes");
    expect(limitText({ name: 'x', value: 3 * 2 ** 20, unit: 'bytes' })).toBe('3 MiB');
    expect(limitText({ name: 'x', value: 3 * 2 ** 30, unit: 'bytes' })).toBe('3 GiB');
    expect(limitText({ name: 'x', value: 2 ** 20 + 1, unit: 'bytes' })).toBe('1,048,577 bytes');
    expect(limitText({ name: 'x', value: 12_000_000, unit: 'entries' })).toBe('12,000,000 entries');
    expect(overLimit(limits.globLength, 'it is long', 'cut it')).toMatchObject({
      code: 'OVER_LIMIT',
      exitCode: 4,
      message: "it is long; the limit 'glob length' is 4,096 bytes",
      hint: 'cut it',
    });
  });
});
