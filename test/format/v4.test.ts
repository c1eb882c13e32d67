import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { checkGraph, parseManifest } from '../../src/manifest/index.js';

/** What version 4 of the manifest looks like, frozen. */
const text = readFileSync(join(import.meta.dirname, 'v4/written.json'), 'utf8');

describe('version 4 of the manifest', () => {
  it('is read, and brought to the present version: no update in it is an image', () => {
    const manifest = parseManifest(text);
    expect(checkGraph(manifest)).toEqual([]);
    const { updates } = JSON.parse(text) as { updates: Record<string, object> };
    expect(manifest).toEqual({
      ...(JSON.parse(text) as object),
      version: 6,
      containerd: {},
      updates: Object.fromEntries(Object.entries(updates).map(([id, row]) => [id, { ...row, image: null }])),
    });
  });

  it('has two bases of images, of which one stands on a layer of the other', () => {
    const { bases, nodes } = parseManifest(text);
    expect(nodes[bases['web']!.root]?.parent).toBe(bases['plain']!.root);
  });
});
