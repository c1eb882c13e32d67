import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { toBuffer } from '../../../src/base/bytes.js';
import { limitNamed, limits } from '../../../src/base/limits.js';
import { OutputLog } from '../../../src/sandbox/output.js';
import { follow } from '../../../src/sandbox/root/follow.js';
import { findMountPoints } from '../../../src/sandbox/root/mount-points.js';
import type { RootReader } from '../../../src/sandbox/root/reader.js';
import { wantedDirectories } from '../../../src/sandbox/root/tmpfiles.js';
import { userOf } from '../../../src/sandbox/user.js';
import { temporaryDirectory } from '../platform/temporary.js';

const at = temporaryDirectory();

/** A root of these files (path → content) and symlinks (path → target), with the directories that they need. */
function rootOf(files: ReadonlyMap<string, string>, links: ReadonlyMap<string, string> = new Map()): RootReader {
  const paths = [...files.keys(), ...links.keys()];
  const isDirectory = (path: string) => paths.some((each) => each.startsWith(`${path}/`));
  return {
    entry: (path) => {
      const target = links.get(path);
      if (target !== undefined) return { type: 'symlink', target };
      if (files.has(path)) return { type: 'file', target: '' };
      return isDirectory(path) ? { type: 'directory', target: '' } : undefined;
    },
    names: (directory) =>
      paths.filter((each) => each.startsWith(`${directory}/`)).map((each) => each.slice(directory.length + 1)),
    read: (path, most) => {
      const content = files.get(path);
      return content === undefined || content.length > most ? undefined : Buffer.from(content);
    },
  };
}

describe('of an account file', () => {
  it('as much is read as the limit says, and more refused by its name', () => {
    const line = 'web:x:1000:1000::/srv:/bin/sh\n';
    const passwd = (bytes: number) => rootOf(new Map([['etc/passwd', line + '#'.repeat(bytes - line.length)]]));
    expect(userOf(passwd(limits.accountFile.value), 'web', [])).toMatchObject({ uid: 1000 });
    expect(() => userOf(passwd(limits.accountFile.value + 1), 'web', [])).toThrow(
      expect.objectContaining({
        code: 'OVER_LIMIT',
        message: `/etc/passwd of the container is too large to search for users; ${limitNamed(limits.accountFile)}`,
      }) as Error,
    );
  });
});

describe('symlinks', () => {
  it('are followed as often as the limit says', () => {
    const chain = (length: number) =>
      new Map(Array.from({ length }, (_, i) => [`l${i}`, i + 1 === length ? 'end' : `l${i + 1}`] as const));
    const end = new Map([['end', '']]);
    expect(follow(rootOf(end, chain(limits.followedLinks.value)), 'l0')).toMatchObject({ kind: 'found', path: 'end' });
    expect(follow(rootOf(end, chain(limits.followedLinks.value + 1)), 'l0')).toEqual({ kind: 'nowhere' });
  });
});

describe('tmpfiles.d', () => {
  const wanted = (files: ReadonlyMap<string, string>) => {
    const root = rootOf(files);
    return wantedDirectories(root, findMountPoints(root)).map(({ path }) => path as string);
  };
  const file = (name: string) => `usr/lib/tmpfiles.d/${name}.conf`;
  const padded = (number: number) => String(number).padStart(5, '0');

  it('is read up to each of its limits', () => {
    const many = Array.from({ length: limits.tmpfilesFiles.value + 1 }, (_, i) => padded(i));
    const found = wanted(new Map(many.map((name) => [file(name), `${name === many.at(-1) ? 'd /run/last' : ''}\n`])));
    expect(found).not.toContain('run/last');
    const fewer = many.slice(1);
    expect(wanted(new Map(fewer.map((name) => [file(name), name === many.at(-1) ? 'd /run/last' : ''])))).toContain(
      'run/last',
    );
    const long = (bytes: number) => wanted(new Map([[file('a'), 'd /run/large\n'.padEnd(bytes, '#')]]));
    expect(long(limits.tmpfilesFile.value)).toContain('run/large');
    expect(long(limits.tmpfilesFile.value + 1)).not.toContain('run/large');
    const deep = (levels: number) => wanted(new Map([[file('a'), `d /run${'/d'.repeat(levels - 1)}\n`]]));
    expect(deep(limits.tmpfilesDepth.value)).toHaveLength(limits.tmpfilesDepth.value);
    expect(deep(limits.tmpfilesDepth.value + 1)).toEqual(['run/lock']);
  });

  it('makes as many directories as the limit says', () => {
    const lines = Array.from({ length: limits.tmpfilesDirectories.value + 1 }, (_, i) => `d /run/${padded(i)}\n`);
    const found = wanted(new Map([[file('a'), lines.join('')]])).filter((path) => path !== 'run/lock');
    expect(found).toHaveLength(limits.tmpfilesDirectories.value);
  });
});

describe('the output of a procedure', () => {
  it('is kept up to the limit, which is named where something is left out', () => {
    const kept = (bytes: number) => {
      const file = at(`output-${bytes}`);
      const log = new OutputLog(file);
      log.add(Buffer.alloc(limits.output.value - 1, 'x'));
      log.add(Buffer.alloc(bytes - limits.output.value + 1, 'y'));
      log.add(Buffer.alloc(0));
      log.close();
      log.check();
      return readFileSync(toBuffer(file))
        .subarray(limits.output.value - 1)
        .toString();
    };
    expect(kept(limits.output.value)).toBe('y');
    expect(kept(limits.output.value + 1)).toBe(`y\n[output omitted; ${limitNamed(limits.output)}]\n`);
  });
});
