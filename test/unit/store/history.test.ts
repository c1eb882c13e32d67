import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { toBuffer } from '../../../src/base/bytes.js';
import type { BytePath } from '../../../src/base/bytes.js';
import { emptyManifest } from '../../../src/manifest/index.js';
import { StorePaths, pastUpdates } from '../../../src/store/index.js';
import type { PastUpdate, TransactionPaths } from '../../../src/store/index.js';
import { longestReason, unpublishedPasts } from '../../../src/store/history.js';
import {
  keepEnded,
  keepInterrupted,
  retireUpdates,
  stagePastRecord,
  trimHistory,
} from '../../../src/store/history-keep.js';
import { temporaryDirectory } from '../platform/temporary.js';

const at = temporaryDirectory();
const manifest = { ...emptyManifest(), generation: 5 };
let stores = 0;

const idOf = (number: number) => `u-${String(number).padStart(16, '0')}`;

function past(number: number, more: Partial<PastUpdate> = {}): PastUpdate {
  return {
    version: 1,
    update: idOf(number),
    name: `update-${String(number)}`,
    base: 'tiny',
    state: 'failed',
    cause: 'error',
    reason: 'it did not work',
    created: '2026-01-01T00:00:00.000Z',
    ended: new Date(Date.UTC(2026, 0, 1, 0, 0, number)).toISOString(),
    procedure: { kind: 'script', hash: '0'.repeat(80) },
    to: null,
    description: null,
    containers: [],
    ...more,
  };
}

const write = (path: BytePath, text: string) => {
  writeFileSync(toBuffer(path), text);
};
const isThere = (path: BytePath) => existsSync(toBuffer(path));

/** A store with records, each with a procedure of so many bytes. */
function storeWith(records: readonly PastUpdate[], size = 1): StorePaths {
  const paths = new StorePaths(at(`store-${String(++stores)}`));
  for (const each of records) {
    const place = paths.past(each.update);
    stagePastRecord(place, each);
    write(place.procedure, 'x'.repeat(size));
  }
  return paths;
}

function transactionIn(paths: StorePaths): TransactionPaths {
  const transaction = paths.transaction('t-0123456789abcdef');
  mkdirSync(toBuffer(transaction.update.directory), { recursive: true });
  mkdirSync(toBuffer(paths.updates), { recursive: true });
  return transaction;
}

const names = (paths: StorePaths) => pastUpdates(paths, manifest).map(({ name }) => name);

describe('records of updates that ended', () => {
  it('are listed newest first, and the oldest go beyond the limit', async () => {
    const paths = storeWith([past(1), past(3), past(2)]);
    expect(names(paths)).toEqual(['update-3', 'update-2', 'update-1']);
    await trimHistory(paths, manifest, { records: 2, bytes: 1 << 30 });
    expect(names(paths)).toEqual(['update-3', 'update-2']);
    expect(isThere(paths.past(idOf(1)).directory)).toBe(false);
    write(paths.past(idOf(3)).record, '{');
    await trimHistory(paths, manifest, { records: 0, bytes: 0 });
    expect([2, 3].map((number) => isThere(paths.past(idOf(number)).directory))).toEqual([false, true]);
  });

  it('lose the oldest procedures beyond the limit of their size, but not the newest', async () => {
    const paths = storeWith([past(1), past(2), past(3)], 100_000);
    await trimHistory(paths, manifest, { records: 9, bytes: 150_000 });
    const kept = () => [1, 2, 3].map((number) => isThere(paths.past(idOf(number)).procedure));
    expect(kept()).toEqual([false, true, true]);
    await trimHistory(paths, manifest, { records: 9, bytes: 0 });
    expect(kept()).toEqual([false, false, true]);
    expect(names(paths)).toHaveLength(3);
  });

  it('are bounded in size', () => {
    const containers = [{ container: 'web', outcome: null, failure: 'y'.repeat(1 << 20) }];
    const paths = storeWith([past(1, { reason: 'x'.repeat(1 << 20), containers })]);
    const { record } = paths.past(idOf(1));
    expect(readFileSync(toBuffer(record)).length).toBeLessThan(3 * longestReason);
    expect(names(paths)).toEqual(['update-1']);
  });

  it('count only where their rollback was published', () => {
    const paths = storeWith([past(1), past(2), past(3)]);
    write(paths.past(idOf(1)).generation, '5\n');
    write(paths.past(idOf(2)).generation, '6\n');
    mkdirSync(toBuffer(paths.past(idOf(4)).directory));
    expect(names(paths)).toEqual(['update-3', 'update-1']);
    const unpublished = unpublishedPasts(paths, manifest).map(({ directory }) => directory);
    expect(unpublished).toEqual([paths.past(idOf(2)).directory, paths.past(idOf(4)).directory]);
  });

  it.each([
    ['no JSON', '{'],
    ['null', 'null'],
    ['an unknown field', JSON.stringify({ ...past(1), more: 1 })],
    ['another version', JSON.stringify({ ...past(1), version: 2 })],
    ['a wrong type', JSON.stringify({ ...past(1), reason: 7 })],
  ])('that hold %s are damaged, and it is said where and what to do', (_, text) => {
    const paths = storeWith([past(1)]);
    write(paths.past(idOf(1)).record, text);
    expect(() => pastUpdates(paths, manifest)).toThrow(
      expect.objectContaining({
        code: 'HISTORY_DAMAGED',
        message: expect.stringContaining('record.json') as string,
        hint: expect.stringContaining(idOf(1)) as string,
      }) as Error,
    );
  });

  it('get what it takes to apply the update again, once, and leave what the runs recorded', async () => {
    const paths = storeWith([]);
    const from = paths.update(idOf(1));
    for (const directory of [from.directory, from.run().directory]) mkdirSync(toBuffer(directory), { recursive: true });
    for (const name of ['procedure', 'settings', 'report'] as const) write(from[name], name);
    await retireUpdates(paths, [idOf(1)]);
    expect(isThere(from.procedure)).toBe(true);
    const to = paths.past(idOf(1));
    stagePastRecord(to, past(1));
    await retireUpdates(paths, [idOf(1)]);
    await retireUpdates(paths, [idOf(1)]);
    for (const name of ['procedure', 'settings', 'report'] as const)
      expect(readFileSync(toBuffer(to[name]), 'utf8')).toBe(name);
    expect(isThere(from.procedure)).toBe(false);
    expect(isThere(from.run().directory)).toBe(true);
  });

  it('are made of a failure with its procedure, also in a store that had no history', async () => {
    const paths = storeWith([]);
    const transaction = transactionIn(paths);
    write(transaction.update.procedure, '#!/bin/sh\n');
    expect(isThere(paths.history)).toBe(false);
    await keepEnded(paths, manifest, transaction, past(1));
    expect(names(paths)).toEqual(['update-1']);
    expect(readFileSync(toBuffer(paths.past(idOf(1)).procedure), 'latin1')).toBe('#!/bin/sh\n');
    await keepEnded(paths, manifest, transaction, past(1, { reason: 'another' }));
    expect(pastUpdates(paths, manifest)[0]!.reason).toBe('it did not work');
  });

  it('are made of an update whose command was killed, and of none that was published', async () => {
    const { state: _state, cause: _cause, reason: _reason, ended: _ended, ...attempt } = past(1);
    const paths = storeWith([]);
    const transaction = transactionIn(paths);
    await keepInterrupted(paths, manifest, transaction);
    expect(names(paths)).toEqual([]);
    write(transaction.attempt, JSON.stringify(attempt));
    const published = { ...manifest, updates: { [idOf(1)]: {} as never } };
    await keepInterrupted(paths, published, transaction);
    expect(isThere(paths.history)).toBe(false);
    await keepInterrupted(paths, manifest, transaction);
    expect(pastUpdates(paths, manifest)).toMatchObject([{ name: 'update-1', state: 'failed', cause: 'interrupted' }]);
  });
});
