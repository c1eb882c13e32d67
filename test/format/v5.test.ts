import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { baseOf, checkGraph, imageAt, parseManifest } from '../../src/manifest/index.js';

/** What version 5 of the manifest looks like, frozen. */
const text = readFileSync(join(import.meta.dirname, 'v5/written.json'), 'utf8');

describe('version 5 of the manifest', () => {
  it('is read, and brought to the present version: it keeps no snapshots of containerd', () => {
    const manifest = parseManifest(text);
    expect(checkGraph(manifest)).toEqual([]);
    expect(manifest).toEqual({ ...(JSON.parse(text) as object), version: 6, containerd: {} });
  });

  it('has an update that is a new image: what stands on it has its configuration', () => {
    const manifest = parseManifest(text);
    const { root, head } = baseOf(manifest, 'web');
    expect(imageAt(manifest, 'web', head)?.reference).toBe('docker://registry.example/web:2');
    expect(imageAt(manifest, 'web', root)?.reference).toBe('docker://registry.example/web:1');
    expect(imageAt(manifest, 'tiny', baseOf(manifest, 'tiny').head)).toBe(null);
  });
});
