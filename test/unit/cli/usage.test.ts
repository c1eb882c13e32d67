import { describe, expect, it } from 'vitest';
import { wantsJson } from '../../../src/cli/usage.js';

describe('--json, looked for where the rest was typed wrongly', () => {
  it.each([
    [true, 'status --json'],
    [true, '--json status --bogus'],
    [true, '--store /s --json bogus'],
    [true, 'run --json web'],
    [false, 'status'],
    [false, '--store --json status'],
    [false, 'run web -- ls --json'],
    [false, 'run web ls --json'],
    [false, 'create -- --json'],
  ])('%s: %s', (wanted, words) => {
    expect(wantsJson(words.split(' '))).toBe(wanted);
  });
});
