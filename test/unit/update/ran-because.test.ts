import { writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { fromText, toBuffer } from '../../../src/base/bytes.js';
import { overlapAt, ranBecauseOf } from '../../../src/update/container/ran-because.js';
import type { Overlap } from '../../../src/update/container/ran-because.js';
import { temporaryDirectory } from '../platform/temporary.js';

const at = temporaryDirectory();
let runs = 0;

/** What a run left: read set and journal. */
function run(reads: Readonly<Record<string, readonly string[]>>, operations: readonly (readonly string[])[]) {
  const number = String(++runs);
  const files = { reads: at(`reads-${number}`), journal: at(`journal-${number}`) };
  const lines = Object.entries(reads).map(([path, kinds]) => JSON.stringify({ path, kinds }));
  writeFileSync(toBuffer(files.reads), ['{"version":1}', ...lines, ''].join('\n'));
  const caller = { time: '2026-01-01T00:00:00.000000000Z', pid: 1, uid: 0, gid: 0, command: 'sh' };
  const journal = operations.map(([operation, path, to]) => `${JSON.stringify({ ...caller, operation, path, to })}\n`);
  writeFileSync(toBuffer(files.journal), journal.join(''));
  return files;
}

async function did(path: string, ...recorded: Parameters<typeof run>): Promise<string[]> {
  const overlaps = new Map([['web', overlapAt(fromText(path), 'run')!]]);
  const because = (await ranBecauseOf([run(...recorded)], overlaps)).get('web')!;
  expect(because.path).toBe(path);
  return because.did.map(({ action, path: where }) => (where === path ? action : `${action} ${where}`));
}

describe('why a procedure ran in a container', () => {
  it('is what the run on the base did at the path', async () => {
    expect(await did('etc/a', { '/etc/a': ['found', 'opened', 'xattr'], '/etc/ab': ['link'] }, [])).toEqual([
      'open',
      'xattr',
    ]);
    expect(await did('etc/a', { '/etc/a': ['absent'] }, [])).toEqual(['lookup']);
    expect(
      await did('etc/a', { '/etc/a': ['found'] }, [
        ['write', '/etc/a'],
        ['write', '/etc/a'],
        ['chmod', '/etc/b'],
      ]),
    ).toEqual(['write']);
    expect(await did('etc/b', {}, [['rename', '/etc/a', '/etc/b']])).toEqual(['rename']);
    expect(await did('caf\udce9', { '/caf\udce9': ['opened'] }, [])).toEqual(['open']);
  });

  it('is that the directory was listed, but not one above it', async () => {
    expect(await did('srv/mine', { '/srv': ['found', 'listed'], '/': ['listed'] }, [])).toEqual(['list srv']);
    expect(await did('mine', { '/': ['listed'] }, [])).toEqual(['list ']);
  });

  it('is what was done to a directory with all below it, once where it was tried and done', async () => {
    const reads = { '/srv': ['found', 'whole'] };
    expect(await did('srv/a/b', reads, [])).toEqual(['remove-or-rename srv']);
    expect(await did('srv/a/b', reads, [['rename', '/srv', '/new']])).toEqual(['rename srv']);
    expect(await did('srv/a/b', {}, [['chmod', '/srv']])).toEqual([]);
  });

  it('is what was written below a path that is no directory in the container', async () => {
    expect(
      await did('srv', { '/srv': ['found'] }, [
        ['create', '/srv/a/b'],
        ['write', '/srv/c'],
      ]),
    ).toEqual(['lookup', 'create srv/a/b']);
  });

  it('is bounded, and given for runs that recorded nothing', async () => {
    const many = Array.from({ length: 99 }, (_, i) => ['rename', '/srv/x', `/srv/${String(i)}`]);
    expect((await did('srv', {}, [['rename', '/srv', '/a'], ...many])).length).toBeLessThanOrEqual(16);
    const overlaps = new Map<string, Overlap>([['web', { path: fromText('etc/a'), by: 'run' }]]);
    const none = { reads: at('no-reads'), journal: at('no-journal') };
    expect((await ranBecauseOf([none], overlaps)).get('web')).toEqual({ path: 'etc/a', did: [] });
    expect((await ranBecauseOf([none], new Map())).size).toBe(0);
  });

  it('is the sandbox where that would be another one', async () => {
    const overlaps = new Map([['web', overlapAt(fromText('tmp'), 'sandbox')!]]);
    expect((await ranBecauseOf([run({ '/tmp': ['found'] }, [])], overlaps)).get('web')).toEqual({
      path: 'tmp',
      did: [{ action: 'sandbox', path: 'tmp' }],
    });
  });
});
