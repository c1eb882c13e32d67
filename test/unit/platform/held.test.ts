import { chmodSync, lchownSync, mkdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { join, toBuffer } from '../../../src/base/bytes.js';
import type { BytePath } from '../../../src/base/bytes.js';
import { exposureAt, exposureOnTheWay } from '../../../src/platform/exposure.js';
import { holdPath } from '../../../src/platform/held.js';
import { walk } from '../../../src/platform/walk.js';
import { temporaryDirectory } from './temporary.js';

const at = temporaryDirectory();
const isRoot = process.getuid?.() === 0;
const nobody = 65534;
const make = (path: BytePath) => mkdirSync(toBuffer(path), { recursive: true, mode: 0o755 });
const write = (path: BytePath, text: string) => {
  writeFileSync(toBuffer(path), text);
};

describe('what is held', () => {
  it('stays what it was when its name, or a directory above it, becomes something else', () => {
    make(at('a/b'));
    write(at('a/b/file'), 'held');
    make(at('other/b'));
    write(at('other/b/file'), 'other');
    const [file, directory] = [holdPath(at('a/b/file')), holdPath(at('a/b'))];
    renameSync(toBuffer(at('a')), toBuffer(at('moved')));
    symlinkSync('other', toBuffer(at('a')));
    expect(readFileSync(toBuffer(file.at), 'utf8')).toBe('held');
    expect(readFileSync(toBuffer(join(directory.at, 'file')), 'utf8')).toBe('held');
    const below = holdPath(join(directory.at, 'file'));
    expect(readFileSync(toBuffer(below.at), 'utf8')).toBe('held');
    for (const each of [file, directory, below]) each.close();
  });

  it('is reached through symlinks of the same user, of any form, and not for ever', () => {
    make(at('links/target'));
    write(at('links/target/file'), 'found');
    symlinkSync('target', toBuffer(at('links/relative')));
    symlinkSync(toBuffer(at('links/relative')), toBuffer(at('links/absolute')));
    symlinkSync('../links/absolute/.', toBuffer(at('links/through')));
    symlinkSync('circle', toBuffer(at('links/circle')));
    const held = holdPath(at('links/through/file'));
    expect(readFileSync(toBuffer(held.at), 'utf8')).toBe('found');
    held.close();
    expect(() => holdPath(at('links/circle'))).toThrow(expect.objectContaining({ code: 'ELOOP' }));
    expect(() => holdPath(at('links/missing'))).toThrow(expect.objectContaining({ code: 'ENOENT' }));
    expect(() => holdPath(at('links/target/file/more'))).toThrow(expect.objectContaining({ code: 'ENOTDIR' }));
  });

  it.runIf(isRoot)('is not reached through a symlink of another user', () => {
    make(at('foreign/secret'));
    symlinkSync('secret', toBuffer(at('foreign/link')));
    lchownSync(toBuffer(at('foreign/link')), nobody, nobody);
    for (const path of ['foreign/link', 'foreign/link/x'])
      expect(() => holdPath(at(path))).toThrow(expect.objectContaining({ code: 'FOREIGN_SYMLINK' }));
  });

  it('is walked without leaving it, as deep as it is, whatever takes the place of a directory', () => {
    const names = Array.from({ length: 700 }, (_, depth) => `d${depth % 10}`);
    make(at('tree'));
    for (let i = 0, path = at('tree'); i < 300; i++) make((path = join(path, names[i] ?? '')));
    write(at('tree/z'), '');
    const entries = [...walk(at('tree'), { hold: true })].map(({ path }) => path);
    expect(entries).toEqual([...walk(at('tree'))].map(({ path }) => path));
    expect(entries).toHaveLength(302);

    make(at('exchanged/a'));
    write(at('exchanged/a/inside'), '');
    make(at('outside'));
    write(at('outside/secret'), '');
    const found: string[] = [];
    for (const { path } of walk(at('exchanged'), { hold: true })) {
      found.push(path);
      if (path !== 'a') continue;
      renameSync(toBuffer(at('exchanged/a')), toBuffer(at('exchanged-a')));
      symlinkSync(toBuffer(at('outside')), toBuffer(at('exchanged/a')));
      break;
    }
    const again = walk(at('exchanged'), { hold: true });
    expect([...again].map(({ path }) => path)).toEqual(['', 'a']);
    expect(found).toEqual(['', 'a']);
  });
});

describe.runIf(isRoot)('who may change where a path leads', () => {
  it.each<[string, number, number, 'owner' | 'writable' | undefined]>([
    ['root alone', 0, 0o755, undefined],
    ['another user, who owns it', nobody, 0o755, 'owner'],
    ['all', 0, 0o777, 'writable'],
    ['a group', 0, 0o775, undefined],
    ['all, in a directory with the sticky bit', 0, 0o1777, undefined],
  ])('%s', (name, uid, mode, how) => {
    const directory = at(`way-${name.replace(/\W/g, '')}`);
    make(join(directory, 'below'));
    lchownSync(toBuffer(directory), uid, 0);
    chmodSync(toBuffer(directory), mode);
    expect(exposureOnTheWay(join(directory, 'below'))?.how).toBe(how);
    expect(exposureOnTheWay(directory)).toBeUndefined();
    if (mode === 0o1777) expect(exposureAt(directory)?.how).toBe('writable');
  });
});
