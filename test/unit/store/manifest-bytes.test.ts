import { describe, expect, it } from 'vitest';
import { serialiseManifest } from '../../../src/manifest/index.js';
import type { Manifest } from '../../../src/manifest/index.js';
import { manifestBytes } from '../../../src/store/manifest-bytes.js';
import { updated, withBase, withContainer } from '../manifest/support.js';

const names = Array.from({ length: 200 }, (_, i) => `c${i}`);
const many = names.reduce((manifest, name) => withContainer(manifest, name), withBase());

const loaded = (manifest: Manifest) => {
  const text = serialiseManifest(manifest);
  return { manifest, text, bytes: Buffer.from(text) };
};

/** What is written after a change of a manifest that was read. */
const written = (before: Manifest, after: Manifest) => manifestBytes(after, loaded(before));

describe('the bytes of a manifest', () => {
  const described = (text: string): Manifest => {
    const { manifest } = updated(many, 'openssl', { c1: 'S+Δ' });
    const updates = Object.entries(manifest.updates).map(([id, update]) => [id, { ...update, description: text }]);
    return { ...manifest, updates: Object.fromEntries(updates) as Manifest['updates'] };
  };

  it.each([
    ['nothing changed', many, many],
    ['something was added in the midst', many, withContainer(many, 'c100a')],
    ['something was removed', withContainer(many, 'c100a'), many],
    ['all rows of a table are gone', many, { ...many, containers: {} }],
    ['nothing was there', { ...many, containers: {} }, many],
    ['an update was added', many, described('plain')],
    ['characters are more than a byte', described('naïve €'), withContainer(described('naïve €'), 'last')],
  ])('are its text where %s', (_, before, after) => {
    expect(Buffer.concat(written(before, after)).toString()).toBe(serialiseManifest(after));
    expect(Buffer.concat(manifestBytes(after)).toString()).toBe(serialiseManifest(after));
  });

  it('are the old ones where rows did not change, and not copied', () => {
    const before = loaded(many);
    const pieces = manifestBytes(withContainer(many, 'c100a'), before);
    const reused = pieces.filter(({ buffer }) => buffer === before.bytes.buffer);
    expect(reused.reduce((sum, { length }) => sum + length, 0)).toBeGreaterThan(before.bytes.length * 0.9);
    expect(pieces.length).toBeLessThan(16);
  });

  it('are one piece where many rows changed', () => {
    const created = '2026-02-02T00:00:00.000Z';
    const rows = names.map((name, i) => {
      const row = many.containers[name];
      return [name, i % 2 === 0 ? { ...row, created } : row];
    });
    const containers = Object.fromEntries(rows) as Manifest['containers'];
    const after = { ...many, containers };
    const pieces = written(many, after);
    expect(pieces).toHaveLength(1);
    expect(pieces[0]?.toString()).toBe(serialiseManifest(after));
  });
});
