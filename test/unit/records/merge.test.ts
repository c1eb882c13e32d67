import { describe, expect, it } from 'vitest';
import { fromText } from '../../../src/base/bytes.js';
import { dpkgVersion, mergeByPath, mergeByStart, movedIds, unsatisfied } from '../../../src/records/index.js';
import { bytes, merged } from './merged.js';

const user = (name: string, id: number, more = '') => `${name}:x:${id}:${id}:${more}:/:/bin/sh\n`;

it('accounts that moved are named with their numbers, and who has the former one', () => {
  const before = ['a:x:1:1:::', '# c:x:5:', '+:x:6:', 'gone:x:7:7:::', 'same:x:8:8:::', 'a:x:9:'].join('\n');
  const after = ['new:x:1:1:::', 'a:x:2:2:::', 'same:x:08:8:::', 'c:x:6:6:::'].join('\n');
  expect(movedIds('user', bytes(before), bytes(after))).toEqual([
    { what: 'user', name: 'a', from: 1, to: 2, heir: 'new' },
  ]);
  expect(movedIds('group', undefined, bytes(after))).toEqual([]);
});

describe('accounts', () => {
  const root = user('root', 0);

  it.each<[string, string, string, RegExp]>([
    [
      'one id that got two names',
      root + user('a', 900),
      root + user('b', 900),
      /^blocked: uid '900' would belong to users '[ab]' and '[ab]', each from one side alone/,
    ],
    [
      'one id with zeros before it',
      root + user('a', 900).replace('900', '0900'),
      root + user('b', 900),
      /uid '900' would/,
    ],
    [
      'one name that got two ids',
      root + user('a', 900),
      root + user('a', 901),
      /^blocked: user 'a' has two versions of its uid: '900' in the container and '901'/,
    ],
    [
      'two new shells',
      user('root', 0).replace('/bin/sh', '/a'),
      user('root', 0).replace('/bin/sh', '/b'),
      /two versions of its shell/,
    ],
    ['a removed user that the update changed', '', user('root', 0, 'r'), /user 'root' was removed by the container/],
    ['lines of other fields', `${root}x:y\n`, root + user('a', 900), /the line of 'x' does not have 7 fields/],
  ])('conflict: %s', (_, ours, theirs, says) => {
    expect(merged('etc/passwd', root, ours, theirs)).toMatch(says);
  });

  it('keep an id that one side has under two names, comments, and fields of both sides', () => {
    const toor = root + user('toor', 0);
    expect(merged('etc/passwd', root, `# ours\n${toor}`, root + user('b', 2))).toBe(
      `# ours\n${root}${user('b', 2)}${user('toor', 0)}`,
    );
    expect(merged('etc/passwd', root, user('root', 0, 'Root'), root.replace('/bin/sh', '/bin/bash'))).toBe(
      user('root', 0, 'Root').replace('/bin/sh', '/bin/bash'),
    );
  });

  it('merge lists of members, and take the later day of change', () => {
    expect(merged('etc/group', 'g:x:5:a,b\n', 'g:x:5:a,b,c\n', 'g:x:5:b,d\n')).toBe('g:x:5:b,d,c\n');
    expect(merged('etc/shadow', '', 's:!:20001::::::\n', 's:!:20002::::::\n')).toBe('s:!:20002::::::\n');
    expect(merged('etc/shadow', '', 's:secret:1::::::\n', 's:other:1::::::\n')).toBe(
      "blocked: user 's' has two versions of its password",
    );
  });

  it('keep that a password must be changed at the next login', () => {
    const root = (day: string) => `root:x:${day}::::::\n`;
    for (const [ours, theirs] of [
      ['0', '20002'],
      ['20002', '0'],
    ] as const)
      expect(merged('etc/shadow', root('20001'), root(ours), root(theirs))).toBe(root('0'));
    expect(merged('etc/shadow', root('20001'), root(''), root('20002'))).toMatch(/^blocked: .*day of change$/);
  });

  it('keep one entry of NIS, and comments, wherever both sides put others', () => {
    const nis = '+::::::\n';
    expect(merged('etc/passwd', `# a\n${nis}`, `# b\n# a\n${nis}`, `# c\n# d\n# a\n${root}${nis}`)).toBe(
      `# c\n# d\n# b\n# a\n${root}${nis}`,
    );
    const dos = (text: string) => text.replaceAll('\n', '\r\n');
    expect(merged('etc/passwd', dos(root), `${dos(root)}a:x:1:1::/:/a\r`, dos(root + user('b', 2)))).toBe(
      `${dos(root + user('b', 2))}a:x:1:1::/:/a\r\n`,
    );
  });

  it('refuse subordinate ids that overlap', () => {
    expect(merged('etc/subuid', '', 'a:100000:65536\n', 'b:165536:65536\n')).toBe('b:165536:65536\na:100000:65536\n');
    expect(merged('etc/subuid', '', 'a:100000:65536\n', 'b:100000:65536\n')).toMatch(/^blocked: ids from 100000 on/);
    const wide = 'a:100000:65536\n';
    expect(merged('etc/subuid', wide, `${wide}b:100000:9\n`, `${wide}c:100008:1\n`)).toMatch(
      /would belong to both 'b' and 'c'$/,
    );
    expect(merged('etc/subuid', wide, `${wide}b:100000:8\n`, `${wide}c:100008:1\n`)).toMatch(/^a.*\nc.*\nb.*\n$/);
  });
});

describe("dpkg's files", () => {
  const stanza = (name: string, version: string, more = '', status = 'install ok installed') =>
    `Package: ${name}\nStatus: ${status}\nArchitecture: amd64\nVersion: ${version}\n${more}Description: x\n\n`;
  const status = 'var/lib/dpkg/status';

  it('take the version of the side that changed it, and the container’s wish', () => {
    const held = stanza('a', '1', '', 'hold ok installed');
    expect(merged(status, stanza('a', '1'), held, stanza('a', '2', 'Depends: b\n'))).toBe(
      stanza('a', '2', 'Depends: b\n', 'hold ok installed'),
    );
    const gone = stanza('a', '1', '', 'deinstall ok config-files');
    expect(merged(status, stanza('a', '1'), gone, stanza('a', '2'))).toBe(gone);
    expect(
      merged(status, stanza('a', '1') + stanza('b', '1'), stanza('b', '1'), stanza('a', '2') + stanza('b', '1')),
    ).toBe(stanza('b', '1'));
  });

  it.each([
    [
      stanza('a', '2'),
      stanza('a', '3'),
      /^blocked: package 'a' has version '2' in the container and '3' in the update/,
    ],
    [stanza('a', '2'), '', /^blocked: package 'a' was removed by the update/],
    [
      stanza('a', '1', '', 'hold ok installed'),
      stanza('a', '1', '', 'deinstall ok config-files'),
      /^blocked: package 'a' was removed by the update/,
    ],
    [stanza('a', '\x1b[2J'), stanza('a', '3'), /^blocked: package 'a' has version '[^\x1b]+' in the container/],
    [`${stanza('a', '1')}nonsense\n`, stanza('a', '2'), /^blocked: status is not in the form of dpkg's status/],
    [
      stanza('a', '1') + stanza('b', '1'),
      stanza('a', '1') + stanza('b', '1').replace('amd64', 'all'),
      /^blocked: package 'b' would be installed for two architectures/,
    ],
  ])('conflict where both changed a package', (ours, theirs, says) => {
    expect(merged(status, stanza('a', '1'), ours, theirs)).toMatch(says);
  });

  it('name what the merged packages lack, or must not have', () => {
    const all = [
      stanza('a', '1', 'Depends: b (>= 2), c | d, e:any\nProvides: virtual (= 3)\n'),
      stanza('b', '1'),
      stanza('d', '1', 'Depends: virtual (>= 2), virtual (>= 4)\n'),
      stanza('e', '1', 'Breaks: b (<< 2), a (<< 1)\nConflicts: virtual\nProvides: virtual\n'),
      stanza('f', '1', 'Depends: nowhere\n', 'deinstall ok config-files'),
    ].join('');
    expect(unsatisfied(bytes(all))).toEqual([
      "'a' depends on 'b (>= 2)'",
      "'d' depends on 'virtual (>= 4)'",
      "'e' conflicts with 'virtual'",
      "'e' breaks 'b (<< 2)'",
    ]);
    expect(dpkgVersion(bytes(all), 'b')).toBe('1');
    expect(dpkgVersion(bytes(all), 'f')).toBeUndefined();
  });

  it('merge lists of files, and choices of alternatives', () => {
    expect(merged('var/lib/dpkg/info/a.list', '/.\n/a\n', '/.\n/a\n/b\n', '/.\n/c\n')).toBe('/.\n/c\n/b\n');
    const overrides = 'var/lib/dpkg/statoverride';
    const row = (mode: string) => `root adm ${mode} /a b\n`;
    expect(merged(overrides, '', row('755'), row('4755'))).toBe("blocked: what is set for '/a b' was changed by both");
    expect(merged(overrides, row('1'), row('1'), `${row('1')}root adm 4755 /c\n`)).toBe(
      `${row('1')}root adm 4755 /c\n`,
    );
    const diversion = (file: string, by: string) => `/${file}\n/${file}.${by}\n${by}\n`;
    expect(merged('var/lib/dpkg/diversions', '', diversion('a', 'x'), diversion('b', 'y'))).toBe(
      diversion('b', 'y') + diversion('a', 'x'),
    );
    expect(merged('var/lib/dpkg/diversions', '', diversion('a', 'x'), diversion('a', 'y'))).toMatch(
      /^blocked: .*'\/a'/,
    );
    expect(merged('var/lib/dpkg/diversions', '', '/a\n/b\n', diversion('a', 'y'))).toMatch(
      /^blocked: .*not in the form/,
    );
    for (const name of ['File', 'ldconfig'])
      expect(merged(`var/lib/dpkg/triggers/${name}`, 'a\n', 'a\nb\n', 'c\n')).toBe('c\nb\n');
    expect(merged('var/lib/dpkg/triggers/Unincorp', '', '/a b\n', '/a c\n')).toBeUndefined();
    const head = 'auto\n/usr/bin/editor\neditor.1\n/usr/share/man/editor.1\n\n';
    const choice = (name: string) => `/bin/${name}\n10\n/man/${name}.1\n`;
    const path = 'var/lib/dpkg/alternatives/editor';
    expect(
      merged(path, `${head}${choice('ed')}\n`, `${head}${choice('ed')}${choice('vi')}\n`, `${head}${choice('nano')}\n`),
    ).toBe(`${head}${choice('nano')}${choice('vi')}\n`);
  });

  it("merge ucf's databases by the files that they name", () => {
    const hash = (of: string, file: string) => `${of}  /etc/${file}\n`;
    const path = 'var/lib/ucf/hashfile';
    expect(merged(path, hash('1', 'a'), hash('1', 'a') + hash('1', 'b'), hash('2', 'a'))).toBe(
      hash('2', 'a') + hash('1', 'b'),
    );
    expect(merged(path, hash('1', 'a'), hash('2', 'a'), hash('3', 'a'))).toBe(
      "conflict: what is set for '/etc/a' was changed by both",
    );
    expect(merged('var/lib/ucf/registry', '', 'own     \t /etc/a b\n', 'it\t/etc/c\n')).toBe(
      'it\t/etc/c\nown     \t /etc/a b\n',
    );
  });
});

it("a question of debconf that both sides asked keeps the container's answer", () => {
  const question = (value: string, more: string) => `Name: a/b\nValue: ${value}\nOwners: ${more}\n\n`;
  expect(
    merged(
      'var/cache/debconf/config.dat',
      '',
      `${question('mine', 'a').trim()}\nFlags: seen\n\n`,
      question('other', 'b'),
    ),
  ).toBe(`${question('mine', 'b, a').trim()}\nFlags: seen\n\n`);
});

describe('settings', () => {
  const text = '; all\n[a]\n# port\nport = 1\n\n[b]\nx=1\n';

  it('of INI keep comments and sections', () => {
    const theirs = text.replace('x=1', 'x=2\ny=3');
    expect(merged('etc/a.ini', text, text.replace('port = 1', 'port = 2'), theirs)).toBe(
      theirs.replace('port = 1', 'port = 2'),
    );
    expect(merged('etc/a.ini', text, text.replace('x=1', 'x=5'), theirs)).toBe("conflict: '[b] x' has two new values");
    expect(merged('etc/a.ini', text, '; all\n[a]\n# port\nport = 1\n', theirs)).toMatch(
      /^conflict: .*removed by the container/,
    );
    expect(merged('etc/a.ini', text, `${text}x=9\n`, theirs)).toBeUndefined();
    expect(merged('etc/default/a', 'end=1\nb=1\n', 'end=1\nb=2\n', 'end=3\nb=1\n')).toBe('end=3\nb=2\n');
    expect(merged('etc/a.conf', 'u: /x?a=1\n', 'u: /y?c=1\n', 'u: /z?d=1\n')).toBeUndefined();
  });

  it('of JSON and YAML are merged by key, with the container’s layout', () => {
    expect(
      merged(
        'etc/a.json',
        '{"a":1,"b":{"c":[1]}}',
        '{\n    "a": 2,\n    "b": {"c": [1]}\n}\n',
        '{"a":1,"b":{"c":[2]},"d":null}',
      ),
    ).toBe('{\n    "a": 2,\n    "b": {\n        "c": [\n            2\n        ]\n    },\n    "d": null\n}\n');
    expect(
      merged('etc/a.yaml', 'a: 1\nb:\n  c: 1\n', '# ours\na: 2 # why\nb:\n  c: 1\n', 'a: 1\nb:\n  c: 3\n  d: x\n'),
    ).toBe('# ours\na: 2 # why\nb:\n  c: 3\n  d: x\n');
    expect(merged('etc/a.yaml', 'a: 1\n', 'a: 2\n', 'a: 3\n')).toBe("conflict: 'a' has two new values");
    expect(merged('etc/a.json', '{"__proto__":1}', '{"__proto__":1,"a":2}', '{"__proto__":3}')).toBe(
      '{"__proto__":3,"a":2}',
    );
  });

  it('of YAML keep how scalars are written, whatever programs take them for', () => {
    const base = 'mode: 0644\nversion: 1.1\nflag: no\nid: 1\n';
    const theirs = 'mode: 0755\nversion: 1.10\nflag: "no"\nid: 12345678901234567890\nnew: !vault {a: yes}\n';
    const ours = base.replace('id: 1', 'id: 1 # why').concat('own: 0x1F\n');
    expect(merged('etc/a.yaml', base, ours, theirs.replace('!vault {a: yes}', '[1.0, yes]'))).toBe(
      'mode: 0755\nversion: 1.10\nflag: "no"\nid: 12345678901234567890 # why\nown: 0x1F\nnew: [ 1.0, yes ]\n',
    );
    expect(merged('etc/a.yaml', base, ours, theirs)).toBeUndefined();
    expect(merged('etc/a.yaml', base, `${ours}__proto__: a\nconstructor: b\n`, `${base}toString: c\n`)).toBe(
      `${ours}__proto__: a\nconstructor: b\ntoString: c\n`,
    );
  });

  it('that a merge by keys would change are left to a merge by lines', () => {
    for (const other of ['{"a":12345678901234567890}', '{"a":1.0}', '{"a":1,"a":2}', '{']) {
      expect(merged('etc/a.json', '{}', '{"b":1}', other)).toBeUndefined();
    }
    expect(merged('etc/a.yaml', 'a: 1\n', 'a: &x 1\nb: *x\n', 'a: 2\n')).toBeUndefined();
    const deep = (leaf: string) => `${'{"a":'.repeat(100)}${leaf}${'}'.repeat(100)}`;
    expect(merged('etc/a.json', deep('1'), deep('2'), deep('3'))).toBeUndefined();
  });
});

it('files that are made anew, logs and databases are not merged', () => {
  expect(mergeByPath(fromText('etc/ld.so.cache'))).toEqual({ kind: 'made', then: { by: 'ldconfig' } });
  expect(mergeByPath(fromText('var/log/dpkg.log'))).toEqual({ kind: 'own' });
  expect(mergeByPath(fromText('etc/passwd'))).toBeUndefined();
  const start = bytes('SQLite format 3\0more');
  expect(mergeByStart(fromText('srv/db'), start)).toMatchObject({
    reason: expect.stringContaining('SQLite') as string,
  });
  expect(mergeByStart(fromText('var/lib/rpm/Packages'), bytes(''))).toMatchObject({ isBlocking: true });
  expect(mergeByStart(fromText('srv/text'), bytes('text'))).toBeUndefined();
});
