import { describe, expect, it } from 'vitest';
import type { Member } from '../../../support/tar-writer.js';
import { importsOfTars } from './imports.js';

const isRoot = process.getuid?.() === 0;
const { refusal } = importsOfTars();

describe.skipIf(!isRoot)('a tar', () => {
  it.each<[string, Member, RegExp]>([
    [
      'an access list that cannot be',
      { name: 'f', content: 'x', pax: [['SCHILY.acl.access', 'user::rwx']] },
      /f has an access list with no entry/,
    ],
    [
      'an access list of NFSv4',
      { name: 'f', content: 'x', pax: [['SCHILY.acl.ace', 'owner@:r:allow']] },
      /f has an access list of NFSv4/,
    ],
    [
      'a sparse map that overlaps',
      {
        name: 's',
        content: 'xx',
        pax: [
          ['GNU.sparse.size', '9'],
          ['GNU.sparse.numblocks', '2'],
          ['GNU.sparse.map', '4,1,3,1'],
        ],
      },
      /sparse file s/,
    ],
    [
      'a sparse map of more than is stored',
      {
        name: 's',
        content: 'x',
        pax: [
          ['GNU.sparse.size', '9'],
          ['GNU.sparse.numblocks', '1'],
          ['GNU.sparse.map', '0,5'],
        ],
      },
      /sparse file s.*5 bytes and 1/,
    ],
    [
      'a sparse file without end',
      {
        name: 's',
        content: '1\n0\n1\n'.padEnd(512, '\0'),
        pax: [
          ['GNU.sparse.major', '1'],
          ['GNU.sparse.minor', '0'],
          ['GNU.sparse.realsize', '9007199254740991'],
        ],
      },
      /sparse file s/,
    ],
    [
      'a sparse map that is none',
      {
        name: 's',
        content: 'x'.repeat(600),
        pax: [
          ['GNU.sparse.major', '1'],
          ['GNU.sparse.minor', '0'],
        ],
      },
      /sparse file s has a malformed map/,
    ],
    ['a name that has no end', { name: 'x', content: 'x', pax: [['path', 'd/'.repeat(40_000)]] }, /80000 bytes/],
    ['a symlink to nothing', { name: 's', type: '2', linkname: '' }, /symlink s has no target/],
    [
      'a symlink that is too long',
      { name: 's', type: '2', pax: [['linkpath', 'x'.repeat(5000)]] },
      /s has a target of 5000/,
    ],
    ['a symlink with a NUL', { name: 's', type: '2', pax: [['linkpath', 'a\0b']] }, /s has a NUL in its target/],
    ['a member that never comes', { name: 'PaxHeaders/x', type: 'x', content: '' }, /announces a member/],
  ])('with %s is refused', async (_, member, says) => {
    const error = await refusal([{ name: 'good', content: 'good' }, member]);
    expect(error.message).toMatch(says);
  });

  it('with an extended header that is too long, or broken, is refused before it is read', async () => {
    for (const broken of ['99 path=x\n', '9 path\n', 'x path=x\n', '11 path=x\n', '0 a=b\n'])
      expect((await refusal([{ name: 'PaxHeaders/e', type: 'x', content: broken }])).message).toMatch(
        /PaxHeaders\/e is malformed/,
      );
    expect((await refusal([{ name: 'e', type: 'x', size: 1 << 30 }])).message).toMatch(/1073741824 bytes/);
    expect((await refusal([{ name: '././@LongLink', type: 'L', size: 1 << 20 }])).message).toMatch(
      /long name is of 1048576/,
    );
  });
});
