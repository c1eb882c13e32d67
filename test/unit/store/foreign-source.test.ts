import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import type { BytePath } from '../../../src/base/bytes.js';
import { makeEntry } from '../../../src/changeset/index.js';
import { materialise } from '../../../src/store/materialise.js';

it('opens nothing but files where others may have changed the source', async () => {
  const place = mkdtempSync(join(tmpdir(), 'lamina-foreign-'));
  const [source, tree] = [place, join(place, 'made')] as BytePath[] as [BytePath, BytePath];
  const path = 'a' as BytePath;
  const attributes = makeEntry({ path, size: 1 });
  const operation = { kind: 'file', path, attributes, source: { layer: 0, path } } as const;
  const plan = { root: makeEntry({ type: 'directory', path: '' }), changesRoot: true, operations: [operation] };
  execFileSync('mkfifo', ['a'], { cwd: place });
  // It waits for a reader.
  const writer = spawn('sh', ['-c', ': >a'], { cwd: place, stdio: 'ignore' });
  try {
    await sleep(200);
    const made = materialise({ plan, tree, sources: [source], marks: 'user', isForeign: true });
    await expect(made).rejects.toMatchObject({ exitCode: 5, code: 'SOURCE_CHANGED' });
    await sleep(100);
    expect([writer.exitCode, existsSync(tree)]).toEqual([null, false]);
  } finally {
    writer.kill('SIGKILL');
    rmSync(place, { recursive: true });
  }
});
