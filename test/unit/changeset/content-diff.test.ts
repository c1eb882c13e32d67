import { describe, expect, it } from 'vitest';
import type { BytePath } from '../../../src/base/bytes.js';
import { limitNamed, limits } from '../../../src/base/limits.js';
import { attributeChanges, contentDiff } from '../../../src/changeset/content-diff.js';
import { makeEntry } from '../../../src/changeset/index.js';

const file = (text: string | Uint8Array) => {
  const bytes = Buffer.from(text);
  return { size: bytes.length, hash: 'f'.repeat(16), bytes };
};
const diff = (name: string, before: string | undefined, after: string | undefined) =>
  contentDiff(
    name as BytePath,
    before === undefined ? undefined : file(before),
    after === undefined ? undefined : file(after),
  );
const keys = (name: string, before: string, after: string) => {
  const found = diff(name, before, after);
  if (found.kind !== 'keys') throw new Error(JSON.stringify(found));
  return found.keys.map((each) => [each.key, each.before, each.after]);
};
const note = (name: string, before: string, after: string) => {
  const found = diff(name, before, after);
  return found.kind === 'text' ? found.note : found.kind;
};

describe('a file that changes, by its keys', () => {
  it('is INI', () => {
    const before = '[server]\nport = 8080\nname=a ; remark\n[client]\nx=1\n';
    expect(keys('etc/a.conf', before, '# new\n[server]\nport=9090\nname=a\n[other]\ny=2\n')).toEqual([
      ['[server] port', '8080', '9090'],
      ['[other] y', null, '2'],
      ['[client] x', '1', null],
    ]);
  });

  it('is JSON, YAML, or KEY=VALUE', () => {
    expect(keys('a.json', '{"a":{"b":[1,2]},"c":null}', '{"a":{"b":[1,3]},"x y":{}}')).toEqual([
      ['a.b[1]', '2', '3'],
      ['"x y"', null, '{}'],
      ['c', 'null', null],
    ]);
    expect(keys('a.yml', 'a: {b: 1}\nl: [x]\n', 'a:\n  b: 2\nl: [x]\n')).toEqual([['a.b', '1', '2']]);
    expect(keys('default/x', '# c\nexport A=1\nB="x"\n', 'A=2\nB="x"\n')).toEqual([['A', '1', '2']]);
  });

  it('is a file of accounts, whose secrets are not shown', () => {
    const line = (shell: string) => `root:x:0:0:root:/root:${shell}\n`;
    expect(keys('etc/passwd', line('/bin/sh'), `${line('/bin/ash')}new:x:1:1:::\n`).slice(0, 2)).toEqual([
      ['root shell', '/bin/sh', '/bin/ash'],
      ['new password', null, 'x'],
    ]);
    const secret = (hash: string) => `root:${hash}:1::::::\n`;
    const found = diff('etc/shadow', secret('$6$old'), secret('$6$new'));
    expect(found).toEqual({
      kind: 'keys',
      format: 'accounts',
      hidden: true,
      keys: [{ key: 'root password', before: null, after: null }],
    });
    for (const [before, after] of [
      ['garbage\n', secret('$6$new')],
      [secret('$6$old'), '$6$shifted:x:1::::::\n'],
      [undefined, secret('$6$new')],
      [secret('$6$new'), undefined],
    ] as const) {
      const hidden = diff('etc/shadow-', before, after);
      expect(hidden.kind).toBe('binary');
      expect(JSON.stringify(hidden)).not.toContain('$6$');
    }
  });

  it('falls back to its lines, and says why', () => {
    expect(note('a.json', '{}', '{')).toMatch(/not valid JSON/);
    expect(note('a.yaml', 'a: 1', 'a: 1\na: 2')).toMatch(/not valid YAML/);
    expect(note('a.yaml', 'a: 1', `a: &a [1]\nb: [${'*a,'.repeat(200)}]`)).toMatch(limitNamed(limits.aliases));
    expect(note('a.service', '[S]\nE=1\n', '[S]\nE=1\nE=2\n')).toMatch(/\[S\] E occurs twice/);
    expect(note('a.json', '{"a":1}', '{"a": 1}')).toMatch(/layout, order or comments/);
    expect(note('a.json', '1', `${'['.repeat(100)}${']'.repeat(100)}`)).toMatch(limitNamed(limits.nesting));
    for (const level of ['[', '- ', '? '])
      expect(note('a.yaml', '1', level.repeat(100_000))).toMatch(limitNamed(limits.nesting));
    expect(note('passwd', 'root:x\n', 'root:y\n')).toMatch(/fields/);
    expect(keys('a.json', '{"__proto__":{"x":1}}', '{"__proto__":{"x":2}}')).toEqual([['__proto__.x', '1', '2']]);
  });
});

describe('a file that changes, otherwise', () => {
  it('is shown by a unified diff', () => {
    expect(diff('etc/motd', 'a\nb\n', 'a\nc\n')).toEqual({
      kind: 'text',
      note: null,
      diff: '--- a/etc/motd\n+++ b/etc/motd\n@@ -1,2 +1,2 @@\n a\n-b\n+c\n',
    });
    expect(diff('new', undefined, 'x\n')).toMatchObject({
      kind: 'text',
      diff: expect.stringContaining('/dev/null') as string,
    });
  });

  it('is shown by size and hash where it is no text, too large or too different', () => {
    expect(diff('bin', '\0', 'x')).toMatchObject({ kind: 'binary', note: null, before: { size: 1 } });
    expect(contentDiff('x' as BytePath, undefined, file(Buffer.from([0xff])))).toMatchObject({
      kind: 'binary',
      before: null,
    });
    const large = { size: 1 << 30, hash: '0'.repeat(16), bytes: undefined };
    expect(contentDiff('x' as BytePath, large, file('x'))).toMatchObject({
      kind: 'binary',
      note: `too large to compare; ${limitNamed(limits.comparedFile)}`,
    });
    const lines = (word: string) => Array.from({ length: 3000 }, (_, at) => `${word}${String(at)}\n`).join('');
    expect(diff('x', lines('a'), lines('b'))).toMatchObject({
      kind: 'binary',
      note: expect.stringContaining(limitNamed(limits.comparedEdits)) as string,
    });
  });

  it('is shown by its attributes', () => {
    const a = makeEntry({ path: 'x' });
    expect(attributeChanges(a, makeEntry({ path: 'x', mode: 0o600, uid: 5 }))).toEqual([
      'mode 644 → 600',
      'owner 0:0 → 5:0',
    ]);
    expect(attributeChanges(a, makeEntry({ path: 'x', xattrs: new Map([['user.a', Buffer.from('b')]]) }))).toEqual([
      'xattrs none → user.a=0x62',
    ]);
    expect(attributeChanges(a, a)).toEqual([]);
  });
});
