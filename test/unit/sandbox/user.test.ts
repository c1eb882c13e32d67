import { describe, expect, it } from 'vitest';
import type { RootReader } from '../../../src/sandbox/root/reader.js';
import { userOf } from '../../../src/sandbox/user.js';

const files: Readonly<Record<string, string>> = {
  'etc/passwd': 'root:x:0:0:root:/root:/bin/sh\nweb:x:1000:33:Web:/srv:/bin/sh\n',
  'etc/group': 'root:x:0:\nwww:x:33:\nadm:x:4:web,other\n',
};
const root: RootReader = {
  entry: (path) =>
    path in files || path === 'etc' ? { type: path === 'etc' ? 'directory' : 'file', target: '' } : undefined,
  names: () => [],
  read: (path) => Buffer.from(files[path] ?? ''),
};
const web = { name: 'web', home: '/srv' };

describe('a user of a container', () => {
  it.each([
    ['web', { ...web, uid: 1000, gid: 33, groups: [4] }],
    ['1000', { ...web, uid: 1000, gid: 33, groups: [4] }],
    ['web:', { ...web, uid: 1000, gid: 33, groups: [4] }],
    ['web:0', { ...web, uid: 1000, gid: 0, groups: [] }],
    [':www', { name: 'root', home: '/root', uid: 0, gid: 33, groups: [] }],
    ['4711', { name: '4711', home: '/', uid: 4711, gid: 0, groups: [] }],
    ['4711:adm', { name: '4711', home: '/', uid: 4711, gid: 4, groups: [] }],
  ])('is named by %s', (given, user) => {
    expect(userOf(root, given, [])).toEqual(user);
  });

  it.each([
    ['', 'NO_USER|not a user'],
    [':', 'not a user'],
    ['web:www:x', 'not a user'],
    ['nobody', "no user 'nobody'"],
    ['web:none', "no group 'none'"],
    ['4294967295', "no user '4294967295'"],
    ['-1', "no user '-1'"],
  ])('is none by %j', (given, message) => {
    expect(() => userOf(root, given, [])).toThrow(new RegExp(message));
  });
});
