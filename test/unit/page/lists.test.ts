import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { conflictsOf } from '../../../src/app/update-counts.js';
import { readFilters, rowsOf } from '../../../page/containers/rows.js';
import { openAtFirst, treeOf, treeRows } from '../../../page/parts/tree.js';
import { rowsInView } from '../../../page/parts/window.js';
import { alike } from '../../../page/updates/alike.js';
import { applyBody } from '../../../page/updates/apply-body.js';
import { countsOf } from '../../../page/updates/counts.js';
import { timelineOf } from '../../../page/updates/timeline.js';
import { resultLines } from '../../../page/activity/result-lines.js';
import { agoText, counted, durationText, namesText, shown, shownLines } from '../../../page/base/text.js';
import type { ListedContainer } from '../../../src/app/container-list.js';

const listed = (name: string, more: Partial<ListedContainer> = {}): ListedContainer => ({
  ...{
    name,
    base: 'debian',
    layer: 'b-0',
    storage: 's-0',
    mountpoint: null,
    engine: null,
    behind: [],
    driverGone: false,
  },
  ...{ created: '2026-01-01T00:00:00.000Z', state: 'newest', elsewhere: null, snapshot: null },
  ...more,
});
const filters = (text: Record<string, string>) => readFilters(new Map(Object.entries(text)));
const names = (list: readonly { readonly name: string }[]) => list.map(({ name }) => name);

describe('the rows of containers', () => {
  const containers = [
    listed('web-10', { state: 'behind', behind: ['a'] }),
    listed('web-2', { mountpoint: '/mnt' }),
    listed('db', { base: 'alpine', elsewhere: '/srv', created: '2026-02-01T00:00:00.000Z' }),
  ];
  const conflicts = conflictsOf([
    {
      state: 'committed',
      effects: [{ container: 'db', outcome: 'changed', storage: null, entries: 0, bytes: 0, conflicts: 2 }],
    },
    {
      state: 'rolled-back',
      effects: [{ container: 'web-2', outcome: 'changed', storage: null, entries: 0, bytes: 0, conflicts: 1 }],
    },
  ]);

  it('sorts names with numbers by their value, either way', () => {
    expect(names(rowsOf(containers, conflicts, filters({})))).toEqual(['db', 'web-2', 'web-10']);
    expect(names(rowsOf(containers, conflicts, filters({ sort: '-name' })))).toEqual(['web-10', 'web-2', 'db']);
    expect(names(rowsOf(containers, conflicts, filters({ sort: '-created' })))[0]).toBe('db');
    expect(names(rowsOf(containers, conflicts, filters({ sort: 'nonsense' })))).toHaveLength(3);
  });

  it('filters by each of what is asked for', () => {
    expect(names(rowsOf(containers, conflicts, filters({ behind: '1' })))).toEqual(['web-10']);
    expect(names(rowsOf(containers, conflicts, filters({ mounted: '1' })))).toEqual(['db', 'web-2']);
    expect(names(rowsOf(containers, conflicts, filters({ conflicts: '1' })))).toEqual(['db']);
    expect(names(rowsOf(containers, conflicts, filters({ base: 'debian', find: 'EB-1' })))).toEqual(['web-10']);
  });
});

describe('a window on a long list', () => {
  it('holds all rows that are seen, and not many more', () => {
    fc.assert(
      fc.property(fc.nat(20_000), fc.nat(900_000), fc.integer({ min: 1, max: 2000 }), (count, top, height) => {
        const { first, end } = rowsInView(count, 40, top, height);
        expect(first).toBeGreaterThanOrEqual(0);
        expect(end).toBeLessThanOrEqual(count);
        expect(end - first).toBeLessThanOrEqual(height / 40 + 26);
        for (let row = 0; row < count; row += 97)
          if (row * 40 < top + height && (row + 1) * 40 > top) expect(row >= first && row < end).toBe(true);
      }),
    );
  });
});

describe('a tree of changes', () => {
  it('counts every change once, and adds up sizes', () => {
    const paths = fc.uniqueArray(
      fc.array(fc.constantFrom('a', 'b', '<i>', '..\u0000'), { minLength: 1, maxLength: 5 }),
      {
        selector: (parts) => parts.join('/'),
        maxLength: 40,
      },
    );
    fc.assert(
      fc.property(paths, (all) => {
        const changes = all.map((parts) => ({ path: `/${parts.join('/')}`, change: 'add', type: 'file', bytes: 3 }));
        const tree = treeOf(changes);
        expect(tree.count).toBe(changes.length);
        expect(tree.bytes).toBe(3 * changes.length);
        const everything = new Set<string>();
        const collect = (entry: typeof tree): void => {
          for (const child of entry.children) {
            everything.add(child.path);
            collect(child);
          }
        };
        collect(tree);
        const rows = treeRows(tree, everything).filter(({ entry }) => entry.change !== undefined);
        expect(rows.map(({ entry }) => entry.path).sort()).toEqual(changes.map(({ path }) => path).sort());
      }),
    );
  });

  it('opens what is small, and not what is large', () => {
    const few = treeOf([{ path: '/etc/app/app.conf', change: 'modify', type: 'file' }]);
    expect(treeRows(few, openAtFirst(few)).map(({ entry, level }) => [entry.path, level])).toEqual([
      ['/etc', 1],
      ['/etc/app', 2],
      ['/etc/app/app.conf', 3],
    ]);
    const many = treeOf(Array.from({ length: 500 }, (_, at) => ({ path: `/usr/${at}`, change: 'add', type: 'file' })));
    expect(treeRows(many, openAtFirst(many))).toHaveLength(1);
    expect(treeRows(many, openAtFirst(many, '/usr/7')).map(({ entry }) => entry.path)).toContain('/usr/7');
    expect(treeRows(few, openAtFirst(few, '/nowhere/at/all'))).toHaveLength(3);
  });
});

describe('operations by process', () => {
  const operation = (pid: number, time: string, command = 'dpkg') => ({
    time,
    pid,
    uid: 0,
    gid: 0,
    command,
    operation: 'write',
    path: '/a',
  });

  it('has a lane for each command of a process, from the first operation to the last', () => {
    const { lanes, length } = timelineOf([
      operation(1, '2026-01-01T00:00:00.000000001Z'),
      operation(2, '2026-01-01T00:00:01.500000000Z', 'sed'),
      operation(1, '2026-01-01T00:00:02.000000001Z'),
      operation(1, '2026-01-01T00:00:02.000500001Z'),
    ]);
    expect(length).toBeCloseTo(2000.5, 3);
    expect(lanes.map(({ pid, command, count, marks }) => [pid, command, count, marks.length])).toEqual([
      [1, 'dpkg', 3, 2],
      [2, 'sed', 1, 1],
    ]);
    expect(lanes[0]?.first).toBe(0);
    expect(lanes[0]?.last).toBe(1);
  });

  it('has none where nothing was recorded', () => {
    expect(timelineOf([])).toEqual({ lanes: [], length: 0 });
    expect(timelineOf([operation(1, '2026-01-01T00:00:00Z')]).lanes[0]?.marks).toEqual([{ at: 0, end: 0, count: 1 }]);
  });
});

describe('what an update does', () => {
  const change = (path: string) => ({ path, change: 'modify', type: 'file', attributes: [], content: null });
  const effect = (container: string, paths: string[]) => ({
    container,
    outcome: 'changed' as const,
    entries: 1,
    bytes: 5,
    changes: paths.map(change),
  });

  it('groups containers with the same changes, the base first', () => {
    const groups = alike({ name: 'debian', bytes: 7, changes: [change('/a')] }, [
      effect('x', ['/b']),
      effect('y', ['/c']),
      effect('z', ['/b']),
    ]);
    expect(groups.map(({ names: all, bytes }) => [all, bytes])).toEqual([
      [['debian'], 7],
      [['x', 'z'], 10],
      [['y'], 5],
    ]);
  });

  it('counts outcomes', () => {
    expect(
      countsOf([{ outcome: 'changed', conflicts: 2 }, { outcome: 'skipped', conflicts: 0 }, { outcome: null }]),
    ).toEqual({ changed: 1, unchanged: 0, skipped: 1, failed: 0, conflicts: 2 });
  });

  it('asks for what was typed, without what was left out', () => {
    expect(applyBody(new Map([['procedure', ' /a b ']]), 'debian')).toEqual({
      base: 'debian',
      procedure: '/a b',
      network: false,
      onFailure: 'abort',
    });
    expect(
      applyBody(
        new Map([
          ['procedure', '/a'],
          ['base', 'x'],
          ['containers', 'a, b,'],
          ['name', 'n'],
          ['skip', '1'],
        ]),
        'debian',
      ),
    ).toEqual({
      ...{ base: 'x', procedure: '/a', name: 'n', containers: ['a', 'b'], network: false, onFailure: 'skip' },
    });
  });
});

describe('texts', () => {
  it('escape what cannot be seen or reorders a line', () => {
    expect(shown('a\u0007b\u202ec\udce9\u200b')).toBe('a\\x07b\\u202ec\\xe9\\u200b');
    expect(shown('<b>ä 😀</b>')).toBe('<b>ä 😀</b>');
    expect(shownLines('a\tb\nc\u001b[31m')).toBe('a\tb\nc\\x1b[31m');
  });

  it('say times and numbers as people do', () => {
    const now = Date.parse('2026-01-02T00:00:00Z');
    expect(agoText('2026-01-01T23:59:58Z', now)).toBe('just now');
    expect(agoText('2026-01-01T23:00:00Z', now)).toBe('1 hour ago');
    expect(agoText('2026-01-03T00:00:00Z', now)).toBe('just now');
    expect(agoText('2020-01-03T00:00:00Z', now)).toBe('6 years ago');
    expect(counted(1, 'entry', 'entries')).toBe('1 entry');
    expect(counted(2000, 'entry', 'entries')).toBe('2,000 entries');
    expect(durationText(20)).toBe('20 ms');
    expect(durationText(61_000)).toBe('1 min 1 s');
    expect(namesText(['a', 'b', 'c', 'd'])).toBe('a, b, c and 1 more');
  });

  it('show documents of jobs in a few lines', () => {
    expect(
      resultLines({
        formatVersion: 1,
        update: { name: 'x', a: 1 },
        updates: ['a'],
        containers: [{}, {}],
        dryRun: false,
        store: '/s',
      }),
    ).toEqual(['update: x', 'updates: a', 'containers: 2', 'store: /s']);
  });
});
