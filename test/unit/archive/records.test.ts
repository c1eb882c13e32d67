import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { renameInRecords, runRecords } from '../../../src/archive/records.js';
import { checkIndex, readArrivedIndex } from '../../../src/archive/stage-tree.js';
import { fromText, toText } from '../../../src/base/bytes.js';
import { MemoryListing, makeEntry } from '../../../src/changeset/index.js';
import { UpdatePaths, isImageConfig } from '../../../src/store/index.js';

describe('the records of an update in an archive', () => {
  let directory: string;
  beforeEach(() => void (directory = mkdtempSync(join(tmpdir(), 'lamina-records-'))));
  afterEach(() => {
    rmSync(directory, { recursive: true });
  });

  const check = (kind: 'update' | 'node', ...entries: Parameters<typeof makeEntry>[0][]) => {
    const listing = new MemoryListing(
      entries.map((each) => makeEntry({ ...each, uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 })),
    );
    const index = { file: Buffer.alloc(0), version: 2, listing, marked: new Map(), oldContents: new Map() } as const;
    checkIndex('it', { kind, id: 'u-1' }, index);
  };

  it('hold no symlinks but those of a package: they are read and written by their paths', () => {
    const root = { path: '', type: 'directory' } as const;
    const symlink = (path: string) => ({ path, type: 'symlink', target: '/etc' }) as const;
    const corrupt = expect.objectContaining({ code: 'CORRUPT_ARCHIVE' }) as Error;
    for (const path of ['containers', 'report.json', 'procedure', 'catch-up-2', 'procedure-2'])
      expect(() => {
        check('update', root, symlink(path));
      }).toThrow(corrupt);
    check('update', root, { path: 'procedure', type: 'directory' }, symlink('procedure/data'));
    check('node', root, symlink('containers'));
  });

  it('have an index that is not read where it has more entries than fit into memory', async () => {
    const index = join(directory, 'index');
    const head = Buffer.alloc(128);
    head.writeUInt32LE(0xffff_ffff, 32);
    writeFileSync(index, head);
    truncateSync(index, 2 ** 31 - 1);
    const part = { kind: 'update', id: 'u-1' } as const;
    await expect(readArrivedIndex('it', part, fromText(index))).rejects.toMatchObject({ code: 'OVER_LIMIT' });
    truncateSync(index, 1000);
    await expect(readArrivedIndex('it', part, fromText(index))).rejects.toMatchObject({ code: 'CORRUPT_ARCHIVE' });
  });

  const engines = { web: { engine: 'kernel', because: null }, db: { engine: 'fuse', because: 'it is deep' } };
  const update = () => {
    const paths = new UpdatePaths(fromText(directory));
    mkdirSync(toText(paths.run('web').directory), { recursive: true });
    writeFileSync(toText(paths.report), JSON.stringify({ engines, conflicts: { web: ['a'] } }));
    return paths;
  };

  it('get the new names of containers, wherever they are keys', () => {
    const paths = update();
    const renames = new Map([
      ['web', 'db'],
      ['db', 'web'],
    ]);
    renameInRecords(paths, renames);
    expect(JSON.parse(readFileSync(toText(paths.report), 'utf8'))).toEqual({
      engines: { db: engines.web, web: engines.db },
      conflicts: { db: ['a'] },
    });
    expect([existsSync(toText(paths.run('db').directory)), existsSync(toText(paths.run('web').directory))]).toEqual([
      true,
      false,
    ]);
  });

  it('become those of a catch-up, with the engine of the run', async () => {
    const paths = update();
    const run = await runRecords(paths, 'web');
    expect(run).toBe(paths.run('web').directory);
    expect(JSON.parse(readFileSync(join(toText(run!), 'catch-up.json'), 'utf8'))).toEqual({
      container: 'web',
      ranBecauseOf: null,
      engine: engines.web,
      conflicts: ['a'],
    });
    expect(await runRecords(paths, 'other')).toBeUndefined();
  });
});

it('the configuration of an image is known by its digest', () => {
  const config = Buffer.from('{}');
  for (const algorithm of ['sha256', 'sha512']) {
    const digest = `${algorithm}:${createHash(algorithm).update(config).digest('hex')}`;
    expect(isImageConfig(config, digest)).toBe(true);
    expect(isImageConfig(Buffer.from('{ }'), digest)).toBe(false);
  }
});
