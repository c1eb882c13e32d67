import { describe, expect, it } from 'vitest';
import { fromText } from '../../../src/base/bytes.js';
import { MemoryListing, View, makeEntry } from '../../../src/changeset/index.js';
import type { RootReader } from '../../../src/sandbox/index.js';
import { checkFitness } from '../../../src/update/image/fitness.js';
import { lastingReference, nameOfImage } from '../../../src/update/image/open.js';
import { factsOf } from '../../../src/update/image/root-facts.js';

type Files = Readonly<Record<string, string | Buffer>>;

/** A root of files alone; a text that begins with -> is a symlink. */
function rootOf(files: Files): RootReader {
  const at = (path: string) => (Object.hasOwn(files, path) ? files[path] : undefined);
  const target = (path: string) => {
    const content = at(path);
    return typeof content === 'string' && content.startsWith('->') ? content.slice(2) : undefined;
  };
  return {
    entry: (path) => {
      const link = target(path);
      if (link !== undefined) return { type: 'symlink', target: link };
      if (at(path) !== undefined) return { type: 'file', target: '' };
      const isDirectory = Object.keys(files).some((name) => name.startsWith(`${path}/`));
      return isDirectory ? { type: 'directory', target: '' } : undefined;
    },
    names: () => [],
    read: (path, most) => {
      const bytes = Buffer.from(at(path) ?? '');
      return bytes.length > most ? undefined : bytes;
    },
  };
}

const release = (id: string, version: string) => `NAME="x"\nID=${id}\nVERSION_ID="${version}"\n`;
const baseFiles = (version: string) =>
  `Package: base-files\nStatus: install ok installed\nArchitecture: amd64\nVersion: ${version}\n\n`;
function elf(machine: number): Buffer {
  const header = Buffer.alloc(64);
  header.write('\x7fELF\x02\x01', 'latin1');
  header.writeUInt16LE(machine, 18);
  return header;
}

const view = (...paths: string[]) => new View([new MemoryListing(paths.map((path) => makeEntry({ path })))]);
const side = (files: Files, architecture?: string, paths: readonly string[] = []) => ({
  facts: factsOf(rootOf(files)),
  architecture,
  view: view(...paths),
});
const check = (base: ReturnType<typeof side>, image: ReturnType<typeof side>) => () => {
  checkFitness({ image: 'the image', base: 'b' }, base, image);
};

const debian = { 'etc/os-release': '->../usr/lib/os-release', 'usr/lib/os-release': release('debian', '12') };

describe('an image that a base is to become', () => {
  it('is known by what its root says', () => {
    const files = {
      ...debian,
      'var/lib/dpkg/status': baseFiles('12.4+deb12u5'),
      'bin/sh': '->dash',
      'bin/dash': elf(183),
    };
    expect(factsOf(rootOf(files))).toEqual({
      distribution: 'debian',
      version: '12',
      baseFiles: '12.4+deb12u5',
      hasApk: false,
      architecture: 'arm64',
    });
    expect(factsOf(rootOf({ 'bin/sh': '#!/bin/x', 'etc/os-release': '->os-release' }))).toEqual({
      distribution: undefined,
      version: undefined,
      baseFiles: undefined,
      hasApk: false,
      architecture: undefined,
    });
  });

  it('is refused where it is another system, with what would be lost', () => {
    const alpine = { 'etc/os-release': release('alpine', '3') };
    expect(check(side(debian, undefined, ['a', 'b', 'c']), side(alpine, undefined, ['a']))).toThrow(
      /the image is of 'alpine', and base 'b' is of 'debian': 2 of its 4 paths would be gone/,
    );
    expect(check(side(debian), side({}))).toThrow(/of an unknown distribution/);
    expect(check(side({}), side(debian))).not.toThrow();
    expect(check(side({ 'bin/sh': elf(62) }), side({}, 'arm64'))).toThrow(/for arm64, and base 'b' for amd64/);
    expect(check(side({ 'bin/sh': elf(62) }, 'amd64'), side({ 'bin/sh': elf(62) }, 'amd64'))).not.toThrow();
  });

  it('is refused where it is older, by a point release, too', () => {
    const at = (version: string, point: string) =>
      side({ 'etc/os-release': release('debian', version), 'var/lib/dpkg/status': baseFiles(point) });
    expect(check(at('12', '12.9'), at('11', '11.9'))).toThrow(/older than base 'b': VERSION_ID 11 after 12/);
    expect(check(at('12', '12.4+deb12u5'), at('12', '12.4+deb12u4'))).toThrow(
      /base-files 12.4\+deb12u4 after 12.4\+deb12u5/,
    );
    expect(check(at('12', '12.4'), at('13', '1'))).not.toThrow();
    expect(check(at('12', '12.4'), at('12', '12.4'))).not.toThrow();
  });

  it("is refused where it is older by apk's order, if its packages are apk's", () => {
    const at = (version: string, database = 'lib/apk/db/installed') =>
      side({ 'etc/os-release': release('alpine', version), [database]: 'P:a\nV:1\n\n' });
    expect(check(at('3.19.0'), at('3.19_alpha20231219'))).toThrow(/VERSION_ID 3.19_alpha20231219 after 3.19.0/);
    expect(check(at('3.19_alpha20231219'), at('3.19.0', 'usr/lib/apk/db/installed'))).not.toThrow();
    expect(check(at('3.9.6'), at('3.10.0'))).not.toThrow();
    // The order of Debian has letters after the end.
    expect(check(at('3.19', 'other'), at('3.19_alpha1', 'other'))).not.toThrow();
  });

  it('has a name for its update, and one that lasts', () => {
    expect(nameOfImage('docker://docker.io/library/debian:12.13')).toBe('debian:12.13');
    expect(nameOfImage('docker://host/debian@sha256:00')).toBe('debian');
    expect(nameOfImage('oci:/a/layout:v2')).toBe('layout:v2');
    expect(lastingReference('oci:layout:v2')).toBe(`oci:${process.cwd()}/layout:v2`);
    expect(lastingReference('docker://debian:12')).toBe('docker://debian:12');
    expect(fromText(lastingReference('dir:/x'))).toBe('dir:/x');
  });
});
