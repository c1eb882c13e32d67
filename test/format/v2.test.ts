import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { checkGraph, parseManifest } from '../../src/manifest/index.js';

const sample = (name: string) => parseManifest(readFileSync(join(import.meta.dirname, name), 'utf8'));

/** What version 2 of the manifest looks like, frozen. */
describe('version 2 of the manifest', () => {
  it('is read, and brought to the present version: its marks are not known', () => {
    const manifest = sample('v2/manifest.json');
    expect(checkGraph(manifest)).toEqual([]);
    expect(manifest).toEqual({ ...sample('v3/written.json'), marks: null });
  });
});
