import { expect, it } from 'vitest';
import { fromText } from '../../../src/base/bytes.js';
import { limits } from '../../../src/base/limits.js';
import { OtherFormat, tooLargeToMerge, unsatisfied } from '../../../src/records/index.js';
import { bytes, merged } from './merged.js';

it.each([
  ['etc/a.json', '['.repeat(1e6) + ']'.repeat(1e6)],
  ['etc/a.json', `{"a":"${'\\"'.repeat(1e6)}`],
  ['etc/a.json', ' '.repeat(limits.mergedFile.value + 1)],
  ['etc/a.yaml', '['.repeat(5e5)],
  ['etc/a.yaml', '- '.repeat(5e5)],
  ['etc/a.yaml', 'a: '.repeat(limits.comparedFile.value)],
  ['etc/a.yaml', `${Array.from({ length: 3e4 }, (_, i) => `k${i}: v\n`).join('')}k1: w\n`],
  ['etc/a.ini', '\n'.repeat(limits.mergedParts.value + 1)],
])('files that take long to merge by keys are left to a merge by lines: %s', (path, ours) => {
  expect(merged(path, 'a: 1\n', ours, 'a: 2\n')).toBeUndefined();
});

it('what is made to be slow to check is not checked', () => {
  const packages = (count: number) =>
    Array.from({ length: count }, (_, i) => `Package: a\nVersion: ${i}\nDepends: a (= x)\n\n`).join('');
  expect(() => unsatisfied(bytes(packages(1000)))).toThrow(OtherFormat);
  const digits = `Package: a\nVersion: ${'9'.repeat(4e6)}\nDepends: a (>= ${'8'.repeat(4e6)}), b (${'<'.repeat(2e5)}\n`;
  expect(unsatisfied(bytes(digits))).toEqual(["'a' depends on 'b'"]);
});

it("a database beyond the limit 'merged records' is a conflict that names it", () => {
  expect(tooLargeToMerge(fromText('var/lib/dpkg/status'))).toMatchObject({
    reason: expect.stringContaining(`the limit '${limits.mergedRecords.name}'`) as string,
  });
  expect(tooLargeToMerge(fromText('srv/large.json'))).toBeUndefined();
  for (const part of ['a,', 'a|', 'a\n'])
    expect(merged('var/lib/dpkg/statoverride', '', part.repeat(limits.mergedParts.value + 1), 'b\n')).toBe(
      "blocked: dpkg's statoverride is too large to merge; the limit 'merged parts' is 2,000,000 parts",
    );
});
