import { describe, expect, it } from 'vitest';
import { readDescription, writeDescription } from '../../../src/archive/description.js';
import { ArchiveReader } from '../../../src/archive/read.js';
import { limits } from '../../../src/base/limits.js';
import { fromText } from '../../../src/base/bytes.js';
import { emptyManifest } from '../../../src/manifest/index.js';
import { writeFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { headerOf } from '../../support/tar-writer.js';

describe('the description of an archive of a store', () => {
  const description = { manifest: emptyManifest('trusted'), extras: {}, created: '2026-01-01T00:00:00.000Z' };

  it('is read as it was written', () => {
    expect(readDescription(writeDescription(description), 'it')).toEqual(description);
  });

  it('is corrupt where the store would soon run out of generations', () => {
    const of = (generation: number) => ({ ...description, manifest: { ...description.manifest, generation } });
    expect(readDescription(writeDescription(of(2 ** 40)), 'it')).toEqual(of(2 ** 40));
    for (const generation of [2 ** 40 + 1, Number.MAX_SAFE_INTEGER - 1])
      expect(() => readDescription(writeDescription(of(generation)), 'it')).toThrow(/impossible generation/);
  });

  it('is refused where it is larger than the limit', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'lamina-description-'));
    try {
      const file = join(directory, 'archive');
      const size = limits.storeDescription.value + 1;
      const header = headerOf({ name: 'lamina-store.json', size }, size);
      writeFileSync(file, Buffer.concat([header, Buffer.alloc(8192)]));
      const reader = ArchiveReader.open(fromText(file), {});
      await expect(reader.description()).rejects.toMatchObject({ code: 'OVER_LIMIT', exitCode: 4 });
      await reader.close();
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});
