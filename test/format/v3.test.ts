import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { checkGraph, parseManifest } from '../../src/manifest/index.js';

/** What version 3 of the manifest looks like, frozen. */
const text = readFileSync(join(import.meta.dirname, 'v3/written.json'), 'utf8');

describe('version 3 of the manifest', () => {
  it('is read, and brought to the present version: nothing in it is of an image', () => {
    const manifest = parseManifest(text);
    expect(checkGraph(manifest)).toEqual([]);
    expect(manifest.marks).toBe('user');
    const { nodes, bases, updates } = JSON.parse(text) as Record<'nodes' | 'bases' | 'updates', Record<string, object>>;
    const without = (table: Record<string, object>) =>
      Object.fromEntries(Object.entries(table).map(([key, row]) => [key, { ...row, image: null }]));
    expect(manifest).toEqual({
      ...(JSON.parse(text) as object),
      version: 6,
      containerd: {},
      nodes: without(nodes),
      bases: without(bases),
      updates: without(updates),
    });
  });
});
