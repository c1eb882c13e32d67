import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  checkGraph,
  findSnapshot,
  parentName,
  parseManifest,
  reachableNodes,
  serialiseManifest,
  snapshotOfContainer,
  snapshotTrees,
} from '../../src/manifest/index.js';

/** What version 6 of the manifest looks like, frozen. */
const text = readFileSync(join(import.meta.dirname, 'v6/written.json'), 'utf8');

describe('version 6 of the manifest', () => {
  it('is read, and written with a row in a line', () => {
    const manifest = parseManifest(text);
    expect(checkGraph(manifest)).toEqual([]);
    expect(serialiseManifest(manifest)).toBe(text);
  });

  it('has snapshots of containerd, one of which shows a container', () => {
    const manifest = parseManifest(text);
    const web = findSnapshot(manifest, 'default/3/web')!.snapshot;
    expect(parentName(manifest, web)).toBe(`default/2/sha256:${'b'.repeat(64)}`);
    expect(snapshotOfContainer(manifest, 'shop')?.snapshot.name).toBe('default/4/shop');
    expect(snapshotTrees(manifest)).toEqual(['b-00000000000000c4', 'b-00000000000000c5']);
    expect(reachableNodes(manifest).has('b-00000000000000c1')).toBe(true);
  });
});
