import { describe, expect, it } from 'vitest';
import type { BytePath } from '../../../src/base/bytes.js';
import { fstabLines, helperWords, mountOptionRows, mountWords } from '../../../src/app/mount-options.js';

describe('what mount(8) says', () => {
  it('is the container, the directory and the options, in any order', () => {
    const words = ['web', '/mnt', '-nv', '-o', 'ro,store=/srv/s', '-t', 'lamina', '-o', 'engine=kernel,nofail'];
    expect(helperWords(words)).toEqual({
      container: 'web',
      directory: '/mnt',
      store: '/srv/s',
      options: { readOnly: true, engine: 'kernel' },
      mayFail: true,
      byHandOnly: false,
      isFake: false,
    });
    expect(helperWords(['-f', 'web', '/mnt']).isFake).toBe(true);
    expect(helperWords(['-rn', 'web', '/mnt']).options).toEqual({ readOnly: true });
  });

  it.each([[['web']], [['web', '/mnt', 'more']], [['', '/mnt']], [['web', '/mnt', '-N', '5']], [[]]])(
    'is wrong: %j',
    (words) => {
      expect(() => helperWords(words)).toThrow(/mount\.lamina/);
    },
  );

  it('has noexec by itself, and by user unless a later word says otherwise, as mount(8)', () => {
    const noExec = (text: string) => mountWords('web', '/mnt', text).options.noExec;
    expect(['noexec', 'user', 'nofail,users', 'exec,user'].map(noExec)).toEqual([true, true, true, true]);
    expect(['rw', 'user,exec', 'noexec,exec', 'owner'].map(noExec)).toEqual([undefined, false, false, undefined]);
    // What it gives its helper for a line with `user`.
    const words = helperWords(['web', '/mnt', '-o', 'rw,noexec,nosuid,nodev,user,nofail']);
    expect(words.options).toEqual({ readOnly: false, noExec: true, suid: false, dev: false });
  });

  it('may have an option that nobody knows where it is to be taken loosely', () => {
    expect(helperWords(['web', '/mnt', '-s', '-o', 'discard,ro']).options).toEqual({ readOnly: true });
    expect(() => helperWords(['web', '/mnt', '-s', '-o', 'engine=none'])).toThrow(/engine=none/);
    expect(() => helperWords(['web', '/mnt', '-o', 'discard,ro'])).toThrow(/discard/);
  });

  it.each(['discard', 'engine', 'engine=none', 'mode=', 'store=', 'remount', 'ro=1', '__proto__', 'constructor=1'])(
    'has no option %s',
    (option) => {
      expect(() => mountWords('web', '/mnt', option)).toThrow(/option|choice|remounted/);
    },
  );

  it('has what others read left out, and the last word counts', () => {
    const options = 'defaults,_netdev,x-systemd.automount,X-mount.mkdir,comment=mine,allow_suid,nosuid,ro,rw,noauto';
    expect(mountWords('web', '/mnt', options)).toMatchObject({
      options: { suid: false, readOnly: false },
      byHandOnly: true,
    });
  });

  it('has every option in the manual', () => {
    const terms = mountOptionRows.map(({ term }) => term).join(', ');
    for (const word of ['ro', 'rw', 'store=', 'engine=', 'mode=', 'allow_suid', 'allow_dev', 'nofail'])
      expect(terms).toContain(word);
  });
});

describe('a fstab', () => {
  it('is read by its lines of type lamina', () => {
    const text = `# web /mnt lamina
      web\t /mnt/a\\040b lamina ro 0 0
      /dev/sda1 / ext4 defaults 0 1
      db /srv/\xc3\xa4 lamina
      shop /srv/shop lamina store=/srv/\xc3\xa0\n` as BytePath;
    expect(fstabLines(text)).toEqual([
      { number: 2, container: 'web', directory: '/mnt/a b', options: 'ro' },
      { number: 4, container: 'db', directory: '/srv/ä', options: '' },
      { number: 5, container: 'shop', directory: '/srv/shop', options: 'store=/srv/à' },
    ]);
  });
});
