import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { checkGraph, parseManifest, serialiseManifest } from '../../src/manifest/index.js';

/** What version 2 of the manifest looks like, frozen. */
const text = readFileSync(join(import.meta.dirname, 'v2/manifest.json'), 'utf8');

describe('version 2 of the manifest', () => {
  it('is read, and written again to the byte', () => {
    const manifest = parseManifest(text);
    expect(checkGraph(manifest)).toEqual([]);
    expect(serialiseManifest(manifest)).toBe(text);
  });
});
