import { describe, expect, it } from 'vitest';
import { View } from '../../../src/changeset/index.js';
import { displacedOperations, holdingPath } from '../../../src/history/displaced-tree.js';
import { planRestore } from '../../../src/history/restore-plan.js';
import type { Present } from '../../../src/history/restore-plan.js';
import { at, directory, file, tree, whiteout } from './trees.js';

const displaced = tree({
  srv: directory,
  'srv/app': directory,
  'srv/app/conf': file(1),
  'srv/app/data': directory,
  'srv/app/data/one': file(2),
  'srv/app/gone': whiteout,
});

function planned(path: string, root: Record<string, Present>) {
  const presentAt = (each: string): Present => {
    const parent = each.slice(0, Math.max(each.lastIndexOf('/'), 0));
    // As lstat(2), which fails below what is no directory.
    if (parent !== '' && root[parent] !== 'directory') throw new Error(`asked for ${each}`);
    return root[each] ?? 'nothing';
  };
  const { entries, ...plan } = planRestore(displaced, at(path), presentAt);
  return { ...plan, entries: entries.map((each) => each.path) };
}

describe('the plan of a restore', () => {
  const all = ['srv/app', 'srv/app/conf', 'srv/app/data', 'srv/app/data/one', 'srv/app/gone'];

  it('makes the directories above it that are gone, outermost first', () => {
    expect(planned('srv/app/data', {})).toEqual({
      blockedBy: undefined,
      missing: ['srv', 'srv/app'],
      inTheWay: [],
      entries: ['srv/app/data', 'srv/app/data/one'],
    });
    expect(planned('srv/app/data', { srv: 'directory' })).toMatchObject({ missing: ['srv/app'] });
  });

  it('merges directories: only what is no directory is in the way', () => {
    const root = {
      srv: 'directory',
      'srv/app': 'directory',
      'srv/app/conf': 'other',
      'srv/app/data': 'directory',
    } as const;
    expect(planned('srv/app', root)).toEqual({
      blockedBy: undefined,
      missing: [],
      inTheWay: ['srv/app/conf'],
      entries: all,
    });
  });

  it('removes what took the place of a directory once, and looks for nothing below it', () => {
    const root = { srv: 'directory', 'srv/app': 'other', 'srv/app/conf': 'other' } as const;
    expect(planned('srv/app', root)).toMatchObject({ inTheWay: ['srv/app'] });
  });

  it('removes a directory where a file is restored, and what the container had removed', () => {
    const root = {
      srv: 'directory',
      'srv/app': 'directory',
      'srv/app/conf': 'directory',
      'srv/app/gone': 'other',
    } as const;
    expect(planned('srv/app', root)).toMatchObject({ inTheWay: ['srv/app/conf', 'srv/app/gone'] });
  });

  it('is blocked by what is no directory above it, and does not look behind a symlink', () => {
    const root = { srv: 'other', 'srv/app': 'directory' } as const;
    expect(planned('srv/app/conf', root)).toMatchObject({ blockedBy: 'srv', missing: [] });
  });
});

describe('the tree of what is displaced', () => {
  const view = new View([
    tree({
      srv: directory,
      'srv/a': file(1, { group: 1 }),
      'srv/b': file(1, { group: 1 }),
      'srv/c': directory,
      'srv/c/d': file(2),
      'srv/not': file(3),
    }),
  ]);
  const kinds = (paths: string[]) =>
    displacedOperations(view, paths.map(at)).map(({ kind, path }) => `${kind} ${path}`);

  it('has the paths with all below them and the directories above, and nothing else', () => {
    expect(kinds(['srv/c'])).toEqual(['directory srv', 'directory srv/c', 'file srv/c/d']);
  });

  it('has one inode for the names of one', () => {
    expect(kinds(['srv/a', 'srv/b'])).toEqual(['directory srv', 'file srv/a', 'link srv/b']);
  });

  it('has a whiteout for what the container had removed, in directories that may be gone, too', () => {
    expect(kinds(['srv/x', 'gone/y'])).toEqual([
      'directory srv',
      'whiteout srv/x',
      'directory gone',
      'whiteout gone/y',
    ]);
  });

  it('is searched by the path, or one above it', () => {
    const record = { update: 'u', container: 'web', created: '', paths: ['srv/a', 'etc'] };
    expect(['srv/a', 'etc/conf/x', 'srv/ab', 'srv'].map((path) => holdingPath(record, at(path)))).toEqual([
      'srv/a',
      'etc',
      undefined,
      undefined,
    ]);
  });
});
