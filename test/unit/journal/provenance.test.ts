import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { BytePath } from '../../../src/base/bytes.js';
import { makeOperation, pathsOf } from '../../../src/journal/operation.js';
import type { RecordedOperation } from '../../../src/journal/operation.js';
import { Provenance } from '../../../src/journal/provenance.js';

const p = (path: string) => path as BytePath;

/** A journal from lines such as "rename a b"; operations are given back as these lines. */
function journal(...lines: string[]) {
  return lines.map((line): RecordedOperation & { line: string } => {
    const [operation = '', path = '', second = ''] = line.split(' ');
    return { ...makeOperation(operation as RecordedOperation['operation'], p(path), p(second)), line };
  });
}

function provenance(lines: string[], links: readonly string[][] = []) {
  const identity = (path: string) => {
    const at = links.findIndex((group) => group.includes(path));
    return at < 0 ? undefined : String(at);
  };
  return new Provenance(journal(...lines), identity);
}

const made = (lines: string[], path: string, links: readonly string[][] = []) =>
  provenance(lines, links)
    .made(p(path))
    .map(({ line }) => line);
const removed = (lines: string[], path: string) => provenance(lines).removed(p(path))?.line;

describe('what made a path what it is', () => {
  it('is what was done to it, and nothing that was done elsewhere', () => {
    expect(made(['write a', 'create b', 'chmod a', 'write b'], 'a')).toEqual(['write a', 'chmod a']);
    expect(made(['write a'], 'b')).toEqual([]);
    expect(made(['write a'], 'a/b')).toEqual([]);
  });

  it('is not a symlink to it, nor an attribute of its name', () => {
    const lines = ['symlink s etc/conf', 'setxattr x etc/conf', 'write etc/conf'];
    expect(made(lines, 'etc/conf')).toEqual(['write etc/conf']);
    expect(made(lines, 's')).toEqual(['symlink s etc/conf']);
    expect(journal(...lines).map(pathsOf)).toEqual([['s'], ['x'], ['etc/conf']]);
    expect(journal('link a b', 'rename a b').map(pathsOf)).toEqual([
      ['a', 'b'],
      ['a', 'b'],
    ]);
  });

  it('follows a file through renames, and leaves out what stood there before', () => {
    const lines = ['write conf', 'create conf.new', 'write conf.new', 'rename conf.new conf', 'chmod conf'];
    expect(made(lines, 'conf')).toEqual(lines.slice(1));
    expect(made(['rename a b', 'rename b c', 'write c'], 'c')).toEqual(['rename a b', 'rename b c', 'write c']);
    expect(made(['write a', 'unlink a', 'create a'], 'a')).toEqual(['create a']);
  });

  it('follows it through the moves of directories above it, while it was in them', () => {
    const lines = ['rename app old', 'mkdir new', 'create new/conf', 'rename new app', 'write old/conf'];
    expect(made(lines, 'app/conf')).toEqual(['create new/conf', 'rename new app']);
    expect(made(lines, 'old/conf')).toEqual(['rename app old', 'write old/conf']);
    expect(made(['rename a b', 'create b/x'], 'b/x')).toEqual(['create b/x']);
    expect(made(['create a/x', 'rename a/x x', 'rename a b'], 'x')).toEqual(['create a/x', 'rename a/x x']);
    expect(made(['rename a b'], 'b/deep/below')).toEqual(['rename a b']);
    expect(made(['rename d/in e', 'rename a d', 'rename e d/in'], 'd/in/x')).toEqual([
      'rename d/in e',
      'rename e d/in',
    ]);
  });

  it('follows an exchange both ways', () => {
    const lines = ['write a/x', 'create b/x', 'exchange a b', 'chmod a/x'];
    expect(made(lines, 'a/x')).toEqual(['create b/x', 'exchange a b', 'chmod a/x']);
    expect(made(lines, 'b/x')).toEqual(['write a/x', 'exchange a b']);
  });

  it('has what was written by another hard link, be it gone since', () => {
    expect(made(['link a b', 'write b', 'unlink b'], 'a')).toEqual(['write b']);
    expect(made(['link a b', 'write a', 'rename d e'], 'b')).toEqual(['link a b', 'write a']);
    expect(made(['write two'], 'one', [['one', 'two']])).toEqual(['write two']);
    expect(made(['rename d e', 'write e/two'], 'one', [['one', 'd/two']])).toEqual(['write e/two']);
    expect(made(['unlink two', 'create two', 'write two'], 'one', [['one', 'two']])).toEqual([]);
    expect(made(['rename a b', 'link b c', 'rename b d'], 'c')).toEqual(['rename a b', 'link b c']);
  });

  it('knows where it stood before', () => {
    const known = provenance(['rename a b', 'rename b/x y', 'create z']);
    expect(known.before(p('y'))).toBe('a/x');
    expect(known.before(p('b/deep'))).toBe('a/deep');
    expect(known.before(p('z'))).toBeUndefined();
    expect(known.before(p('other'))).toBe('other');
  });
});

describe('what took a path away', () => {
  it('is its own removal, or that of a directory above it', () => {
    const lines = ['unlink d/x', 'rmdir d', 'rename e f', 'unlink f/y'];
    expect(removed(lines, 'd/x')).toBe('unlink d/x');
    expect(removed(lines, 'd/other')).toBe('rmdir d');
    expect(removed(lines, 'e/y')).toBe('rename e f');
    expect(removed(lines, 'f/y')).toBe('unlink f/y');
    expect(removed(lines, 'never')).toBeUndefined();
  });

  it('is found also where something else stands above', () => {
    const lines = ['unlink d/x', 'rmdir d', 'mkdir d', 'create d/y'];
    expect(removed(lines, 'd/x')).toBe('unlink d/x');
    expect(removed(['rename d old', 'create d'], 'd/x')).toBe('rename d old');
    expect(removed(['rename new d', 'unlink d', 'create d'], 'd/x')).toBe('unlink d');
    expect(removed(['unlink d/x', 'rename d e'], 'd/x')).toBe('unlink d/x');
  });
});

/** A file system that remembers, of each file, the operations on it: what replaying must find without looking. */
function model(lines: RecordedOperation[]) {
  const files = new Map<string, Set<number>>(['a', 'b', 'c', 'd'].map((name) => [name, new Set()]));
  lines.forEach((line, at) => {
    const { operation, path } = line;
    const file = files.get(path);
    if (operation === 'create') files.set(path, new Set([at]));
    if (file === undefined) return;
    if (operation === 'write') file.add(at);
    if (operation === 'unlink') files.delete(path);
    if (line.operation === 'link') files.set(line.to, file);
  });
  return files;
}

it('knows of every file what was done to it, whatever its names', () => {
  const name = fc.constantFrom('a', 'b', 'c', 'd');
  const operation = fc.record({
    operation: fc.constantFrom('create' as const, 'write' as const, 'unlink' as const, 'link' as const),
    path: name,
    to: name,
  });
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 30 }), (drawn) => {
      // Only what a file system would let happen: no link from or over nothing, no making of what is there.
      const lines: RecordedOperation[] = [];
      for (const { operation: kind, path, to } of drawn) {
        const there = model(lines);
        const possible = kind === 'create' ? !there.has(path) : there.has(path) && (kind !== 'link' || !there.has(to));
        if (possible) lines.push(makeOperation(kind, p(path), p(to)));
      }
      const known = new Provenance(lines);
      for (const [path, operations] of model(lines)) {
        const without = known.made(p(path)).filter(({ operation: kind }) => kind !== 'link');
        expect(without).toEqual([...operations].map((at) => lines[at]));
      }
    }),
  );
});
