import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { apkVersionFits, compareApkVersions } from '../../../src/records/apk-versions.js';

/** Each row in its order, by the rules of apk-package(5). */
const orders: readonly (readonly [rule: string, ...versions: string[]])[] = [
  ['numbers count as numbers', '0', '1', '2', '9', '10', '100', '20240101'],
  ['each number counts before the next', '0.9.12', '0.12', '1.0', '1.0.1', '1.0.2', '1.0.10', '1.2', '1.10', '2'],
  ['a zero before the first number means nothing', '012', '13', '014'],
  ['digits after a zero are those of a fraction', '1.0', '1.001', '1.01', '1.010', '1.06', '1.1', '1.10'],
  ['a letter follows the numbers', '1.2', '1.2a', '1.2b', '1.2z', '1.2.1', '1.3'],
  [
    'suffixes are before and after a release',
    ...['1.0_alpha', '1.0_alpha1', '1.0_alpha2', '1.0_alpha10', '1.0_beta', '1.0_pre', '1.0_rc', '1.0_rc1', '1.0'],
    ...['1.0-r1', '1.0_cvs', '1.0_svn', '1.0_git', '1.0_git20240101', '1.0_hg', '1.0_p', '1.0_p1', '1.0a', '1.0.1'],
  ],
  ['suffixes follow each other', '1_alpha_pre2', '1_alpha', '1_alpha1_rc1', '1_alpha1', '1_alpha_p1', '1'],
  ['a revision is the last', '1.0_rc1', '1.0_rc1-r1', '1.0', '1.0-r0', '1.0-r1', '1.0-r9', '1.0-r10', '1.0_p1-r0'],
  ['commits are texts before the revision', '1.0-r1', '1.0~0a', '1.0~0a-r1', '1.0~1', '1.0_git1~ff'],
  ['numbers may be long', '1.99999999999999999998', '1.99999999999999999999', '1.100000000000000000000'],
];

const pairs = orders.flatMap(([rule, ...versions]) =>
  versions.flatMap((a, i) => versions.slice(i + 1).map((b) => [rule, a, b] as const)),
);

describe("the order of apk's versions", () => {
  it.each(pairs)('%s: %s before %s', (_, a, b) => {
    expect(Math.sign(compareApkVersions(a, b))).toBe(-1);
    expect(Math.sign(compareApkVersions(b, a))).toBe(1);
    expect(compareApkVersions(a, a)).toBe(0);
  });

  it.each([
    ['', '0'],
    ['a', '0'],
    ['1.', '1'],
    ['1.a', '1'],
    ['1_foo', '1'],
    ['1_rcx', '1'],
    ['1bc', '1b'],
    ['1-1', '1'],
    ['1-r', '1'],
    ['1-r1-r2', '1-r1'],
    ['1~xyz', '1'],
    ['1~1~2', '1~1'],
    ['1_p1a', '1_p1'],
    ['1_p1.2', '1_p1'],
    ['1 ', '1'],
  ])("has what is no version before the version that it begins with: '%s' before %s", (wrong, version) => {
    expect(compareApkVersions(wrong, version)).toBeLessThan(0);
    expect(compareApkVersions(version, wrong)).toBeGreaterThan(0);
    expect(compareApkVersions(wrong, wrong)).toBe(0);
  });

  it('is one, of any texts', () => {
    const number = fc.constantFrom('0', '00', '1', '01', '10');
    const version = fc
      .tuple(
        fc.array(number, { minLength: 1, maxLength: 3 }),
        fc.constantFrom('', 'a', 'b'),
        fc.array(fc.constantFrom('_alpha', '_rc1', '_p', '_git2'), { maxLength: 2 }),
        fc.constantFrom('', '~0f', '~1', '-r0', '-r1', '~0f-r1'),
      )
      .map(([numbers, letter, suffixes, last]) => `${numbers.join('.')}${letter}${suffixes.join('')}${last}`);
    fc.assert(
      fc.property(version, version, (a, b) => {
        expect(Math.sign(compareApkVersions(a, b)) + Math.sign(compareApkVersions(b, a))).toBe(0);
      }),
      { numRuns: 2000 },
    );
  });

  it('does not take long', () => {
    const long = '1.'.repeat(500_000);
    expect(compareApkVersions(`${long}1`, `${long}2`)).toBeLessThan(0);
  });
});

describe('the bounds of a dependency', () => {
  it.each([
    ['1.2.3', '=', '1.2.3', true],
    ['1.2.3', '=', '1.2.3-r0', false],
    ['1.2.3', '<', '1.2.4', true],
    ['1.2.3', '<', '1.2.3', false],
    ['1.2.3', '<=', '1.2.3', true],
    ['1.2.3', '>', '1.2.3_rc1', true],
    ['1.2.3', '>=', '1.2.4_alpha', false],
    ['1.2.3-r7', '~', '1.2', true],
    ['1.2.3-r7', '~=', '1.2.3', true],
    ['1.20', '~', '1.2', false],
    ['1.2', '~', '1.2.3', false],
    ['1.3', '>~', '1.2', true],
    ['1.2.9', '>~', '1.2', true],
    ['1.1', '<~', '1.2', true],
    ['1.3', '<~', '1.2', false],
  ])('%s %s %s: %s', (version, operator, bound, fits) => {
    expect(apkVersionFits(version, operator, bound)).toBe(fits);
  });
});
