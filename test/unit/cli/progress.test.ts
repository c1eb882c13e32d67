import { describe, expect, it } from 'vitest';
import { progressText } from '../../../src/cli/progress.js';
import { ProgressCount } from '../../../src/update/progress.js';
import type { Progress } from '../../../src/update/progress.js';

const idle: Progress = { unit: 'containers', total: 0, done: 0, skipped: 0, running: [] };

describe('the line of progress', () => {
  it('counts while the base is serviced, before any container is known', () => {
    const running = [{ name: undefined, since: 1000 }];
    expect(progressText({ ...idle, running }, { begun: 0, now: 73_400 })).toBe('running: the base 1 min 12 s');
  });

  it('reports what runs and how long, and what is done of all', () => {
    const running = [
      { name: 'web', since: 40_000 },
      { name: 'db\u001b[2J', since: 55_000 },
    ];
    const progress = { ...idle, total: 4, done: 2, skipped: 1, running };
    expect(progressText(progress, { begun: 30_000, now: 60_000 })).toBe(
      'containers [==========----------] 2/4, 1 skipped, 1 min 0 s left; running: web 20 s, db\\x1b[2J 5 s',
    );
  });

  it('knows no time left before one has run, and names some of many', () => {
    const running = ['a', 'b', 'c', 'd', 'e'].map((name) => ({ name, since: 0 }));
    const read = { bytes: 1 << 20, total: 4 << 20, since: 70_000 };
    expect(progressText({ ...idle, running, read }, { begun: 0, now: 75_000 })).toMatch(
      /^running: .*; read 1\.0 MB of 4\.2 MB, 15 s left$/,
    );
    expect(progressText({ ...idle, total: 5, running }, { begun: 0, now: 0 })).toBe(
      'containers [--------------------] 0/5, 0 skipped, unknown time left; running: a 0 s, b 0 s, c 0 s, 2 more',
    );
  });

  it('is notified of each step', async () => {
    const reported: Progress[] = [];
    const count = new ProgressCount('containers', (progress) => reported.push(progress));
    await count.onBase(async () => Promise.resolve());
    count.expect(2);
    count.start('web');
    count.end('web', 'skipped');
    const short = reported.map(({ total, done, skipped, running }) => [
      total,
      done,
      skipped,
      running.map(({ name }) => name),
    ]);
    expect(short).toEqual([
      [0, 0, 0, [undefined]],
      [0, 0, 0, []],
      [2, 0, 0, []],
      [2, 0, 0, ['web']],
      [2, 1, 1, []],
    ]);
  });
});
