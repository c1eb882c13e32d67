import { mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { basename, toBuffer } from '../../../src/base/bytes.js';
import type { BytePath } from '../../../src/base/bytes.js';
import * as durable from '../../../src/platform/durable.js';
import { temporaryDirectory } from './temporary.js';

const at = temporaryDirectory();
const read = (path: BytePath) => readFileSync(toBuffer(path), 'utf8');

/** The steps that `work` takes, as `step name`. */
async function stepsOf(work: () => Promise<void>): Promise<string[]> {
  const steps: string[] = [];
  durable.onDurableStep((step, path) => steps.push(`${step} ${basename(path)}`));
  await work();
  return steps;
}

function directory(name: string): BytePath {
  mkdirSync(toBuffer(at(name)));
  return at(name);
}

afterEach(() => {
  durable.onDurableStep(undefined);
});

describe('writing a file', () => {
  it('syncs before it renames, and the directory after', async () => {
    directory('write');
    const path = at('write', 'manifest.json');
    const expected = ['write manifest.json', 'sync-file manifest.json', 'rename manifest.json', 'sync-directory write'];
    expect(await stepsOf(() => durable.writeFileDurably(path, 'one'))).toEqual(expected);
    await durable.writeFileDurably(path, Buffer.from('two'), { mode: 0o640 });
    expect([read(path), statSync(toBuffer(path)).mode & 0o777]).toEqual(['two', 0o640]);
    expect(readdirSync(at('write'))).toEqual(['manifest.json']);
  });

  it('leaves the old content, whole, wherever it is stopped before the rename', async () => {
    directory('stopped');
    const path = at('stopped', 'file');
    await durable.writeFileDurably(path, 'old');
    for (const stop of ['write', 'sync-file', 'rename']) {
      durable.onDurableStep((step) => {
        if (step === stop) throw new Error('stopped');
      });
      await expect(durable.writeFileDurably(path, 'new')).rejects.toThrow('stopped');
      expect([read(path), readdirSync(at('stopped'))], stop).toEqual(['old', ['file']]);
    }
  });

  it('fails cleanly where it cannot write', async () => {
    await expect(durable.writeFileDurably(at('no-directory', 'file'), 'x')).rejects.toMatchObject({ code: 'ENOENT' });
    directory('occupied');
    mkdirSync(at('occupied', 'file', 'child'), { recursive: true });
    await expect(durable.writeFileDurably(at('occupied', 'file'), 'x')).rejects.toMatchObject({ code: 'EISDIR' });
    expect(readdirSync(at('occupied'))).toEqual(['file']);
  });

  it('takes the longest names', async () => {
    directory('long');
    const path = at('long', 'n'.repeat(255));
    await durable.writeFileDurably(path, 'x');
    expect(read(path)).toBe('x');
  });
});

describe('names', () => {
  it('are renamed with both directories synced', async () => {
    directory('from');
    directory('to');
    writeFileSync(toBuffer(at('from', 'a')), 'x');
    const steps = await stepsOf(() => durable.renameDurably(at('from', 'a'), at('to', 'b')));
    expect(steps).toEqual(['rename b', 'sync-directory to', 'sync-directory from']);
    writeFileSync(toBuffer(at('from', 'a')), 'y');
    const kept = durable.renameDurably(at('from', 'a'), at('to', 'b'), 'noreplace');
    await expect(kept).rejects.toMatchObject({ code: 'EEXIST' });
  });

  it('are moved together, each directory synced once, or not at all', async () => {
    directory('source');
    directory('target');
    for (const name of ['a', 'b', 'c']) writeFileSync(toBuffer(at('source', name)), name);
    const moves = ['a', 'b'].map((name) => [at('source', name), at('target', name)] as const);
    const steps = await stepsOf(() => durable.renameAllDurably(moves));
    expect(steps).toEqual(['rename a', 'rename b', 'sync-directory source', 'sync-directory target']);
    const taken = [
      [at('source', 'c'), at('target', 'c')],
      [at('target', 'a'), at('target', 'b')],
    ] as const;
    await expect(durable.renameAllDurably(taken)).rejects.toMatchObject({ code: 'EEXIST' });
    expect(readdirSync(at('source'))).toEqual(['c']);
    expect(readdirSync(at('target'))).toEqual(['a', 'b']);
  });

  it('are moved and removed in many directories with one sync of the file system', async () => {
    const names = ['1', '2', '3', '4', '5'];
    for (const name of names) writeFileSync(toBuffer(at(basename(directory(`many-${name}`)), 'a')), name);
    const moves = names.map((name) => [at(`many-${name}`, 'a'), at(`many-${name}`, 'b')] as const);
    const moved = await stepsOf(() => durable.renameAllDurably(moves));
    expect(moved).toEqual([...names.map(() => 'rename b'), 'sync-tree many-1']);
    const removed = await stepsOf(() => durable.removeAllDurably(moves.map(([, to]) => to)));
    expect(removed).toEqual([...names.map(() => 'remove b'), 'sync-tree many-1']);
    expect(names.flatMap((name) => readdirSync(at(`many-${name}`)))).toEqual([]);
    expect(await stepsOf(() => durable.removeAllDurably([]))).toEqual([]);
  });

  it('are removed together, each directory synced once', async () => {
    for (const name of ['first', 'second']) mkdirSync(at(`together-${name}`, 'child'), { recursive: true });
    const paths = ['first', 'second'].flatMap((name) => [
      at(`together-${name}`, 'child'),
      at(`together-${name}`, 'absent'),
    ]);
    expect(await stepsOf(() => durable.removeAllDurably(paths))).toEqual([
      ...['remove child', 'remove absent', 'remove child', 'remove absent'],
      ...['sync-directory together-first', 'sync-directory together-second'],
    ]);
  });

  it('are made and removed with their directory synced', async () => {
    directory('parent');
    const made = await stepsOf(() => durable.makeDirectoryDurably(at('parent', 'child'), 0o700));
    expect(made).toEqual(['mkdir child', 'sync-directory parent']);
    expect(statSync(toBuffer(at('parent', 'child'))).mode & 0o777).toBe(0o700);
    await expect(durable.makeDirectoryDurably(at('parent', 'child'))).rejects.toMatchObject({ code: 'EEXIST' });
    writeFileSync(toBuffer(at('parent', 'child', 'file')), '');
    const removed = await stepsOf(() => durable.removeDurably(at('parent', 'child')));
    expect(removed).toEqual(['remove child', 'sync-directory parent']);
    expect(readdirSync(at('parent'))).toEqual([]);
    await durable.removeDurably(at('parent', 'child'));
  });
});
