import { describe, expect, it } from 'vitest';
import { fromText } from '../../../src/base/bytes.js';
import { commandSocket, lxcConfig } from '../../../src/takeover/lxc-config.js';
import { rootName } from '../../../src/takeover/index.js';

describe('the name of a root', () => {
  it('is a path, a container of podman, or one of LXC', () => {
    expect(rootName('/srv/web')).toEqual({ kind: 'path', path: '/srv/web' });
    expect(rootName('./podman:web')).toMatchObject({ kind: 'path' });
    expect(rootName('./oci:web')).toMatchObject({ kind: 'path' });
    expect(rootName('podman:web')).toEqual({ kind: 'podman', container: 'web' });
    expect(rootName('lxc:web')).toEqual({ kind: 'lxc', container: 'web', directory: undefined });
    expect(rootName('lxc:/srv/lxc/web')).toEqual({ kind: 'lxc', container: 'web', directory: '/srv/lxc' });
  });

  it.each([
    '',
    'podman:',
    'lxc:',
    'lxc:.',
    'lxc:..',
    'lxc:/srv/..',
    'lxc:a/b',
    'lxc:/srv/',
    'podman:a\0b',
    'oci:layout:1',
    'docker://web',
  ])('is not %j', (name) => {
    expect(() => rootName(name)).toThrow(expect.objectContaining({ kind: 'usage' }));
  });
});

describe('the configuration of a container of LXC', () => {
  const rootOf = (value: string) => lxcConfig(`# a comment\nlxc.rootfs.path = ${value}\n`).root;

  it('says where its root is', () => {
    expect(rootOf('dir:/var/lib/lxc/web/rootfs')).toEqual({ kind: 'dir', path: '/var/lib/lxc/web/rootfs' });
    expect(rootOf('/srv/web')).toEqual({ kind: 'dir', path: '/srv/web' });
    expect(rootOf('overlay:/lower:/upper')).toEqual({ kind: 'overlay', trees: ['/upper', '/lower'] });
    expect(rootOf('overlayfs:/a:b:/c:/upper')).toEqual({ kind: 'overlay', trees: ['/upper', '/a:b', '/c'] });
  });

  it.each(['', 'overlay:/lower', 'zfs:pool/web', 'loop:/srv/web.img', 'dir:web', 'overlay:lower:upper'])(
    'of %j cannot be read',
    (value) => {
      expect(rootOf(value)).toEqual({ kind: 'other', value });
    },
  );

  it('counts by its last lines, and says whether its owners are mapped', () => {
    expect(lxcConfig('lxc.rootfs.path=/a\nlxc.rootfs.path = "/b c"\n')).toEqual({
      root: { kind: 'dir', path: '/b c' },
      mapped: false,
    });
    expect(lxcConfig('lxc.idmap = u 0 100000 65536\n').mapped).toBe(true);
    expect(lxcConfig('lxc.idmap = u 0 100000 65536\nlxc.idmap =\n').mapped).toBe(false);
  });

  it('is read in time, whatever it holds', () => {
    const hostile = `lxc.rootfs.path = /a${' '.repeat(1 << 19)}b`;
    const begun = Date.now();
    expect(lxcConfig(`${hostile}\n#lxc.idmap = u 0 1 2\nlxc.idmap`)).toMatchObject({ mapped: false });
    expect(Date.now() - begun).toBeLessThan(1000);
  });

  it('has a socket, whose name is a hash where it would be too long', () => {
    expect(commandSocket(fromText('/var/lib/lxc'), fromText('web'))).toBe('/var/lib/lxc/web/command');
    const long = commandSocket(fromText('/var/lib/lxc'), fromText('w'.repeat(100)));
    expect(long).toMatch(/^lxc\/[0-9a-f]{16}\/command$/);
    expect(commandSocket(fromText('/var/lib/lxc'), fromText('w'.repeat(101)))).not.toBe(long);
  });
});
