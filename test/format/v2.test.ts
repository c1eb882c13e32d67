import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { checkGraph, parseManifest, serialiseManifest } from '../../src/manifest/index.js';

/** What version 2 of the manifest looks like, frozen. */
const text = readFileSync(join(import.meta.dirname, 'v2/manifest.json'), 'utf8');

describe('version 2 of the manifest', () => {
  it('is read, and written with a row in a line', () => {
    const manifest = parseManifest(text);
    expect(checkGraph(manifest)).toEqual([]);
    const written = serialiseManifest(manifest);
    expect(parseManifest(written)).toEqual(manifest);
    expect(written).toBe(readFileSync(join(import.meta.dirname, 'v2/written.json'), 'utf8'));
  });
});
