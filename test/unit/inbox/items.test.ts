import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Arrivals, isIgnored, scanItem, scanInbox, rollbackOf } from '../../../src/inbox/items.js';
import type { InboxItem } from '../../../src/inbox/items.js';
import { fromText } from '../../../src/base/bytes.js';
import { temporaryDirectory } from '../platform/temporary.js';

const at = temporaryDirectory();
const item = (name: string, changedMs: number, mark = `${name}${changedMs}`): InboxItem => ({
  name: fromText(name),
  path: fromText(`/inbox/${name}`),
  changedMs,
  mark,
});

describe('what is in an inbox', () => {
  it('leaves out what is hidden, being copied or done', () => {
    for (const name of ['.x', '.lock', 'a.part', 'a.tar.TMP', 'done', 'failed']) expect(isIgnored(name)).toBe(true);
    for (const name of ['a', 'a.tar', 'done.sh', 'a.rollback', 'part']) expect(isIgnored(name)).toBe(false);
    expect(rollbackOf(fromText('fix.rollback'))).toBe('fix');
    expect(rollbackOf(fromText('rollback.sh'))).toBeUndefined();
  });

  it('is marked anew by every change in it, a replacement too', () => {
    const inbox = at('');
    mkdirSync(at('package/deep'), { recursive: true });
    symlinkSync('/nowhere', at('link'));
    writeFileSync(at('.hidden'), '');
    expect(scanInbox(inbox).map(({ name }) => name)).toEqual(expect.arrayContaining(['package', 'link']));
    expect(scanInbox(inbox)).toHaveLength(2);
    const marks = new Set<string | undefined>();
    const look = () => marks.add(scanItem(inbox, fromText('package'))?.mark);
    look();
    writeFileSync(at('package/deep/file'), 'a');
    look();
    writeFileSync(at('package/deep/file'), 'ab');
    look();
    renameSync(at('package'), at('other'));
    mkdirSync(at('package'));
    look();
    expect(marks.size).toBe(4);
    rmSync(at('package'), { recursive: true });
    expect(scanItem(inbox, fromText('package'))).toBeUndefined();
  });
});

describe('what has arrived', () => {
  const names = (items: readonly InboxItem[]) => items.map(({ name }) => name);

  it('comes in the order in which it became whole, what is still changing later', () => {
    const arrivals = new Arrivals(1000);
    const items = [item('c', 5000), item('b', 3000), item('late', 9500), item('a', 5000)];
    const { arrived, waitMs } = arrivals.sort(items, 10_000, 0);
    expect(names(arrived)).toEqual(['b', 'a', 'c']);
    expect(waitMs).toBe(500);
    expect(names(arrivals.sort(items, 10_500, 500).arrived)).toEqual(['b', 'a', 'c', 'late']);
    expect(arrivals.sort([], 11_000, 1000)).toEqual({ arrived: [], waitMs: undefined });
  });

  it('is also seen where the clock was set back, by watching; a change begins anew', () => {
    const arrivals = new Arrivals(1000);
    expect(arrivals.sort([item('x', 90_000)], 10_000, 0)).toEqual({ arrived: [], waitMs: 1000 });
    expect(arrivals.sort([item('x', 90_000)], 10_600, 600)).toEqual({ arrived: [], waitMs: 400 });
    expect(arrivals.sort([item('x', 90_001)], 10_900, 900)).toEqual({ arrived: [], waitMs: 1000 });
    expect(names(arrivals.sort([item('x', 90_001)], 11_900, 1900).arrived)).toEqual(['x']);
  });
});
