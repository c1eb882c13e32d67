import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { toBuffer } from '../../../src/base/bytes.js';
import { manifestVersion } from '../../../src/manifest/index.js';
import { initStore } from '../../../src/store/index.js';
import { temporaryDirectory } from '../platform/temporary.js';

const at = temporaryDirectory();
const sample = readFileSync(join(import.meta.dirname, '../../format/v1/manifest.json'), 'utf8');
const isRoot = process.getuid?.() === 0;

describe.skipIf(!isRoot)('a store of an older version', () => {
  it('is read as it is, and kept beside the manifest that first replaces it', async () => {
    const store = await initStore(at('store'));
    const { paths } = store;
    const older = toBuffer(paths.olderManifest(1));
    writeFileSync(toBuffer(paths.manifest), sample);
    const before = await store.read();
    expect(before.version).toBe(manifestVersion);
    expect(before.marks).toBeNull();
    expect(readFileSync(toBuffer(paths.manifest), 'utf8')).toBe(sample);
    expect(existsSync(older)).toBe(false);

    await store.change(async (manifest, publish) => publish({ ...manifest, generation: manifest.generation + 1 }));
    expect(readFileSync(older, 'utf8')).toBe(sample);
    expect(await store.read()).toEqual({ ...before, generation: before.generation + 1, marks: 'trusted' });
  });
});
