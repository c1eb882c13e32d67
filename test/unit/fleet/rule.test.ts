import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LaminaError } from '../../../src/base/errors.js';
import { judge, parseRule } from '../../../src/fleet/rule.js';

describe('the rule of a rollout', () => {
  it('is read', () => {
    expect(parseRule('canary: 95% ok for 1h, failures < 3')).toEqual({
      group: 'canary',
      okPercent: 95,
      forMs: 3_600_000,
      failuresBelow: 3,
      machines: 1,
    });
    expect(parseRule(' all : machines >= 5 , 99.5 % ok for 0s')).toEqual({
      group: 'all',
      okPercent: 99.5,
      forMs: 0,
      failuresBelow: undefined,
      machines: 5,
    });
    expect(parseRule('a: 1% ok for 2d').forMs).toBe(2 * 86_400_000);
  });

  it.each([
    '',
    'canary',
    'canary:',
    ': 95% ok for 1h',
    'canary: 95% ok',
    'canary: 0% ok for 1h',
    'canary: 101% ok for 1h',
    'canary: 95% ok for 91d',
    'canary: 95% ok for 1h, 95% ok for 2h',
    'canary: 95% ok for 1h, failures < 3, failures < 4',
    'canary: 95% ok for 1h, failures < 0',
    'canary: 95% ok for 1h, machines >= 0',
    'canary: 95% ok for 1h, failures > 3',
    'failures < 3',
  ])('refuses %j', (text) => {
    expect(() => parseRule(text)).toThrow(expect.objectContaining({ code: 'BAD_RULE', exitCode: 2 }));
  });

  it('ends with a rule or a refusal whatever the text is', () => {
    const piece = fc.constantFrom(
      'canary',
      ':',
      '95%',
      ' ',
      'ok for',
      '1h',
      ',',
      'failures',
      '<',
      '3',
      'machines >= 2',
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(piece).map((pieces) => pieces.join(' ')),
        ),
        (text) => {
          try {
            expect(parseRule(text).okPercent).toBeGreaterThan(0);
          } catch (error) {
            expect(error).toBeInstanceOf(LaminaError);
          }
        },
      ),
    );
  });

  const rule = parseRule('canary: 95% ok for 1h, failures < 3, machines >= 4');
  it.each([
    [{ offered: 20, done: 19, failed: 1, waiting: 0 }, 'ok'],
    [{ offered: 20, done: 18, failed: 2, waiting: 0 }, 'not yet'],
    [{ offered: 20, done: 17, failed: 3, waiting: 0 }, 'too many failures'],
    [{ offered: 3, done: 3, failed: 0, waiting: 0 }, 'not yet'],
    [{ offered: 3, done: 0, failed: 3, waiting: 0 }, 'too many failures'],
    [{ offered: 0, done: 0, failed: 0, waiting: 0 }, 'not yet'],
  ] as const)('judges %j: %s', (counts, verdict) => {
    expect(judge(rule, counts, 'of it').verdict).toBe(verdict);
  });

  it('never shows a percentage as reached that is not', () => {
    const { because } = judge(rule, { offered: 10_000, done: 9499, failed: 0, waiting: 501 }, 'of it');
    expect(because).toBe('9499 of 10000 machines of it have it (94.9%), and 95% must');
  });
});
