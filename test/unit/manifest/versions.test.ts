import { describe, expect, it } from 'vitest';
import { compareVersions, parseRange } from '../../../src/manifest/index.js';

describe('versions', () => {
  // Each is older than the next (deb-version(7)).
  const ordered = [
    '0',
    '1.0~beta1~svn1245',
    '1.0~beta1',
    '1.0',
    '1.0-1',
    '1.0-1+b1',
    '1.0a',
    '1.0.1',
    '1.2',
    '1.10',
    '1.10-2',
    '1.10-10',
    '12',
    '1:0.1',
  ];

  it('are ordered as Debian orders them', () => {
    ordered.forEach((a, i) =>
      ordered.forEach((b, j) => {
        expect({ a, b, order: Math.sign(compareVersions(a, b)) }).toEqual({ a, b, order: Math.sign(i - j) });
      }),
    );
  });

  it.each([
    ['1.0', '1.0-0'],
    ['0:1', '1'],
    ['1.007', '1.7'],
  ])('%s is %s', (a, b) => {
    expect(compareVersions(a, b)).toBe(0);
  });
});

describe('a range', () => {
  it.each([
    ['12.4', '12.4', true],
    ['12.4', '12.40', false],
    ['>=12 <13', '12.4', true],
    ['>=12 <13', '13', false],
    ['>= 12, < 13', '11.9', false],
    ['<13', '13~rc1', true],
    ['<2 || >=3 <4', '3.1', true],
    ['<2 || >=3 <4', '2.1', false],
    ['>1:1', '2', false],
    ['=1', '1', true],
  ])('%s holds %s: %s', (range, version, wanted) => {
    expect(parseRange(range)?.(version)).toBe(wanted);
  });

  it.each(['', ' ', '>=', '12 ||', '=>1', '^1.2', '1.2 a_b', '*', '>=1 <x y!'])('%j is none', (range) => {
    expect(parseRange(range)).toBeUndefined();
  });
});
