import { describe, expect, it } from 'vitest';
import { unsatisfiedByApk } from '../../../src/records/index.js';
import { bytes, merged } from './merged.js';

describe("apk's databases", () => {
  it("name what they need and do not have, in apk's order of versions", () => {
    const all = [
      'P:a\nV:1\nD:so:x.so.1 cmd:x=2 b>=9 c=3 !d\nD:ignored\n',
      'P:b\nV:1\np:so:x.so.1=1.2 cmd:x=2 /bin/x\nD:!b none@edge nothing~1 a@edge=1\n',
      'P:c\nC:Q1c\nV:2.1_rc3-r2\nD:/bin/x>7 c~2.1 c>~2.2 c<2.1 c>=2.1_rc3 c=2.1_rc3 c=2.1_rc3-r2 !a=2 !a<2\n',
      'P:d\nV:1\nD:!so:x.so.1<2 !so:x.so.1>2 c><Q1c c><Q1d\n',
      'P:e\nV:1\np:so:x.so.1=1\nD:!so:x.so.1=1\n',
    ].join('\n');
    expect(unsatisfiedByApk(bytes(all))).toEqual([
      "'a' depends on 'b>=9'",
      "'a' depends on 'c=3'",
      "'a' conflicts with 'd'",
      "'b' depends on 'none@edge'",
      "'b' depends on 'nothing~1'",
      "'c' depends on 'c>~2.2'",
      "'c' depends on 'c=2.1_rc3'",
      "'c' conflicts with 'a<2'",
      "'d' conflicts with 'so:x.so.1<2'",
      "'d' depends on 'c><Q1d'",
    ]);
  });

  it('are not compared where that would take long', () => {
    const many = (count: number) => Array.from({ length: count }, (_, i) => `P:p${i}\nV:1\np:all\n`).join('\n');
    expect(unsatisfiedByApk(bytes(many(250)))).toEqual([]);
    expect(() => unsatisfiedByApk(bytes(many(251)))).toThrow(/too many packages are, or provide, all/);
    const long = (length: number) => bytes(`P:a\nV:${'1'.repeat(length)}\n`);
    expect(unsatisfiedByApk(long(1000))).toEqual([]);
    expect(() => unsatisfiedByApk(long(1001))).toThrow(/a version of a is too long/);
  });
});

it("apk's records are taken from the side that changed the version", () => {
  const record = (version: string, file: string) => `C:Q1\nP:a\nV:${version}\nF:etc\nR:${file}\n\n`;
  const path = 'lib/apk/db/installed';
  expect(merged(path, record('1', 'x'), record('1', 'y'), record('2', 'z'))).toBe(record('2', 'z'));
  expect(merged(path, record('1', 'x'), record('3', 'y'), record('2', 'z'))).toMatch(
    /'a' has version '3' in the container and '2'/,
  );
});
