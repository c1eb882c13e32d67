import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { toBuffer } from '../../src/base/bytes.js';
import { parseManifest, serialiseManifest } from '../../src/manifest/index.js';
import { readIndex } from '../../src/store/node-index/reader.js';
import { temporaryDirectory } from '../unit/platform/temporary.js';

/** What version 1 of the formats looks like, frozen: every later Lamina must read it as it is read here. */
const sample = join(import.meta.dirname, 'v1');
const text = (name: string) => readFileSync(join(sample, name), 'utf8');
const at = temporaryDirectory();

describe('version 1', () => {
  it('of the manifest is read, and written again to the byte', () => {
    const manifest = parseManifest(text('manifest.json'));
    const kinds = Object.values(manifest.nodes).map(({ kind }) => kind);
    expect(kinds.sort()).toEqual(['base-layer', 'delta-layer', 'delta-storage', 'storage', 'storage']);
    expect(serialiseManifest(manifest)).toBe(text('manifest.json'));
  });

  it('of the index is read', async () => {
    const file = at('index');
    writeFileSync(toBuffer(file), Buffer.from(text('index.hex').replace(/\s/g, ''), 'hex'));
    const entries = [...(await readIndex(file)).entries()].map((entry) => ({
      ...entry,
      xattrs: [...entry.xattrs].map(([name, value]) => `${name}=${Buffer.from(value).toString('hex')}`),
      mtimeNs: entry.mtimeNs.toString(),
      contentHash: entry.contentHash.toString(16),
    }));
    const shown = JSON.stringify(entries, null, 2);
    expect(`${shown}\n`).toBe(text('index.json'));
  });
});
