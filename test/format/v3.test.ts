import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { checkGraph, parseManifest, serialiseManifest } from '../../src/manifest/index.js';

/** What version 3 of the manifest looks like, frozen. */
const text = readFileSync(join(import.meta.dirname, 'v3/written.json'), 'utf8');

describe('version 3 of the manifest', () => {
  it('is read, and written with a row in a line', () => {
    const manifest = parseManifest(text);
    expect(checkGraph(manifest)).toEqual([]);
    expect(manifest.marks).toBe('user');
    expect(serialiseManifest(manifest)).toBe(text);
  });
});
