import { gunzipSync, gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { fromText } from '../../../src/base/bytes.js';
import { limits } from '../../../src/base/limits.js';
import { mergeRecords, unsatisfiedByApk } from '../../../src/records/index.js';
import { writeTar } from '../../support/tar-writer.js';
import type { Member } from '../../support/tar-writer.js';
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

describe("apk's scripts", () => {
  const script = (name: string, content: string, mtime = 1): Member => ({
    ...{ name: `${name}.Q1x=.post-install`, content, mode: 0o755, mtime },
  });
  const path = 'lib/apk/db/scripts.tar';
  const merge = (at: string, base: Buffer, ours: Buffer, theirs: Buffer) =>
    mergeRecords(fromText(at), { base, ours, theirs });
  const [old, newer] = [script('base-1', 'old'), script('base-2', 'new')];
  const own = script('own-1', 'own', 2);
  const long = `${'l'.repeat(150)}-1.Q1x=.trigger`;
  const longMembers: Member[] = [
    { name: '././@LongLink', type: 'L', content: `${long}\0` },
    { name: long.slice(0, 100), content: 'long' },
  ];

  it('are those of the packages that either side has then', () => {
    const [base, ours] = [writeTar([old, script('gone-1', 'x')]), writeTar([script('base-1', 'old', 9), own])];
    const theirs = writeTar([newer, script('gone-1', 'x'), ...longMembers]);
    const result = merge(path, base, ours, theirs);
    expect(result).toEqual({ kind: 'merged', content: writeTar([newer, ...longMembers, own]) });
    expect(merge(path, base, ours, base)).toEqual({ kind: 'merged', content: ours });
  });

  it('stay compressed where they are', () => {
    const result = merge(
      'usr/lib/apk/db/scripts.tar.gz',
      gzipSync(writeTar([old])),
      gzipSync(writeTar([old, own])),
      gzipSync(writeTar([newer])),
    );
    expect(result?.kind).toBe('merged');
    const content = result?.kind === 'merged' ? result.content : Buffer.alloc(0);
    expect(gunzipSync(content).equals(writeTar([newer, own]))).toBe(true);
  });

  it('are not merged where they are no such tar, or one has two versions', () => {
    const base = writeTar([old]);
    const reason = (ours: Buffer, at = path) => merge(at, base, ours, writeTar([newer]));
    expect(merge(path, base, writeTar([own, old]), writeTar([script('own-1', 'other'), old]))).toMatchObject({
      reason: "the script 'own-1.Q1x=.post-install' has two versions",
      isBlocking: true,
    });
    const zip = gzipSync(Buffer.alloc(limits.mergedRecords.value + 1));
    for (const ours of [
      Buffer.from('no tar'),
      base.subarray(0, 700),
      writeTar([{ name: 'link', type: '2', linkname: 'x' }]),
      writeTar([own, own]),
      writeTar([{ ...own, size: 2 ** 33 - 1 }]),
      gzipSync(base).subarray(0, 40),
    ])
      expect(reason(ours)).toMatchObject({ reason: "scripts.tar is not in the form of apk's scripts" });
    expect(reason(zip)).toMatchObject({
      reason: "apk's scripts is too large to merge; the limit 'merged records' is 32 MiB",
    });
  });

  it('have their triggers beside them, by lines', () => {
    const triggers = 'lib/apk/db/triggers';
    expect(merged(triggers, 'Q1a= /bin\n', 'Q1a= /bin\nQ1own= /usr/lib\n', 'Q1b= /bin /sbin\n')).toBe(
      'Q1b= /bin /sbin\nQ1own= /usr/lib\n',
    );
  });
});
