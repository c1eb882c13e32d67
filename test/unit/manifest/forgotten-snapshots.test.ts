import { describe, expect, it } from 'vitest';
import { isForgotten } from '../../../src/manifest/forgotten-snapshots.js';
import type { Manifest, Snapshot } from '../../../src/manifest/index.js';

const at = (name: string, second: number) => ({ name, created: new Date(second * 1000).toISOString() }) as Snapshot;

/** The snapshots of a store, in the order of their numbers. */
const storeOf = (...snapshots: Snapshot[]) =>
  ({ containerd: Object.fromEntries(snapshots.map((each, place) => [`k-${place}`, each])) }) as unknown as Manifest;

describe('a snapshot of containerd', () => {
  const layer = at('default/2/sha256:a', 20);

  it('is forgotten where a lower number is younger', () => {
    expect(isForgotten(storeOf(layer, at('default/1/extract-7 sha256:a', 30)), layer)).toBe(true);
  });

  it('is forgotten where its number was given again', () => {
    expect(isForgotten(storeOf(layer, at('default/2/web', 30)), layer)).toBe(true);
  });

  it.each([
    ['the numbers grow with time', at('default/3/web', 30)],
    ['a lower number is older', at('default/1/web', 10)],
    ['a lower number is as old', at('default/1/web', 20)],
    ['another namespace counts from 1', at('k8s.io/1/web', 30)],
    ['the younger has no number', at('default/web', 30)],
    ['the younger has a number of another kind', at('default/1e0/web', 30)],
    ['the younger has the number at another place', at('default/x/1/web', 30)],
  ])('is not where %s', (_, other) => {
    expect(isForgotten(storeOf(layer, other), layer)).toBe(false);
  });

  it.each(['web', 'default/web', '/2/web', 'lamina/b-0/'])('is not by itself, called %j', (name) => {
    const it = at(name, 20);
    expect(isForgotten(storeOf(it, at('default/1/x', 30)), it)).toBe(false);
  });
});
