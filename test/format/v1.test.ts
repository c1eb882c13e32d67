import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { toBuffer } from '../../src/base/bytes.js';
import { checkGraph, parseManifest } from '../../src/manifest/index.js';
import { readStoredIndex } from '../../src/store/node-index/reader.js';
import { temporaryDirectory } from '../unit/platform/temporary.js';

/** What version 1 of the formats looks like, frozen: every later Lamina must read it as it is read here. */
const sample = join(import.meta.dirname, 'v1');
const text = (name: string) => readFileSync(join(sample, name), 'utf8');
const at = temporaryDirectory();

describe('version 1', () => {
  it('of the manifest is read, and brought to the present version', () => {
    const manifest = parseManifest(text('manifest.json'));
    expect(checkGraph(manifest)).toEqual([]);
    expect(manifest).toEqual(parseManifest(readFileSync(join(import.meta.dirname, 'v2/manifest.json'), 'utf8')));
  });

  it('of the index is read', async () => {
    const file = at('index');
    writeFileSync(toBuffer(file), Buffer.from(text('index.hex').replace(/\s/g, ''), 'hex'));
    const { listing, version, oldContents } = await readStoredIndex(file);
    expect(version).toBe(1);
    const entries = [...listing.entries()].map((entry) => ({
      ...entry,
      xattrs: [...entry.xattrs].map(([name, value]) => `${name}=${Buffer.from(value).toString('hex')}`),
      mtimeNs: entry.mtimeNs.toString(),
      contentHash: (oldContents.get(entry.path)?.xxh64 ?? 0n).toString(16),
    }));
    const shown = JSON.stringify(entries, null, 2);
    expect(`${shown}\n`).toBe(text('index.json'));
  });
});
