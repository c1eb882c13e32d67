import { describe, expect, it } from 'vitest';
import { MemoryListing, alignTimes, makeEntry, withTimes } from '../../../src/changeset/index.js';
import type { Listing } from '../../../src/changeset/index.js';

const onBase = { after: 1000n, until: 1999n };
const inContainer = { after: 5000n, until: 5999n };

/** Files of a tree without directories, by name. */
function tree(times: Record<string, bigint | { time: bigint; group: number }>): Listing {
  return new MemoryListing(
    Object.entries(times).map(([path, at]) =>
      typeof at === 'bigint'
        ? makeEntry({ path, mtimeNs: at })
        : makeEntry({ path, mtimeNs: at.time, group: at.group }),
    ),
  );
}

function aligned(capture: Listing, written: Listing): Record<string, bigint> {
  const listing = withTimes(capture, alignTimes(capture, inContainer, { span: onBase, written }));
  return Object.fromEntries([...listing.entries()].filter(({ path }) => path !== '').map((e) => [e.path, e.mtimeNs]));
}

describe('times of a run in a container', () => {
  it('are those of the run on the base for what both wrote', () => {
    const written = tree({ a: 1100n, b: 1200n });
    expect(aligned(tree({ a: 5500n, b: 5001n }), written)).toEqual({ a: 1100n, b: 1200n });
  });

  it('go on from what was written before for what only the container has', () => {
    const written = tree({ a: 1100n, c: 1300n });
    const capture = tree({ first: 5001n, a: 5100n, mid: 5200n, late: 5201n, c: 5300n, last: 5400n });
    expect(aligned(capture, written)).toEqual({
      first: 1001n,
      a: 1100n,
      mid: 1101n,
      late: 1102n,
      c: 1300n,
      last: 1301n,
    });
  });

  it('stay ties', () => {
    const capture = tree({ a: 5100n, x: 5100n, y: 5100n, z: 5101n });
    expect(aligned(capture, tree({ a: 1100n }))).toEqual({ a: 1100n, x: 1100n, y: 1100n, z: 1101n });
    expect(aligned(capture, tree({}))).toEqual({ a: 1001n, x: 1001n, y: 1001n, z: 1002n });
  });

  it('are kept where they are not of the run', () => {
    const capture = tree({ old: 42n, just: 5000n, end: 5999n, future: 6000n });
    expect(aligned(capture, tree({ old: 1100n, just: 1100n }))).toEqual({
      old: 42n,
      just: 5000n,
      end: 1001n,
      future: 6000n,
    });
  });

  it('do not come from a time that the base did not write during its run', () => {
    expect(aligned(tree({ a: 5100n }), tree({ a: 7n }))).toEqual({ a: 1001n });
  });

  it('are the latest of all names of a file, for all of them', () => {
    const capture = tree({ a: { time: 5100n, group: 0 }, b: { time: 5100n, group: 0 }, c: 5200n });
    expect(aligned(capture, tree({ a: 1200n, b: 1100n }))).toEqual({ a: 1200n, b: 1200n, c: 1201n });
  });

  it('follow for directories, and order nothing', () => {
    const directory = (path: string, mtimeNs: bigint) => makeEntry({ path, type: 'directory', mtimeNs });
    const capture = new MemoryListing([directory('d', 5100n), makeEntry({ path: 'd/f', mtimeNs: 5200n })]);
    const written = new MemoryListing([directory('d', 1900n)]);
    expect(alignTimes(capture, inContainer, { span: onBase, written })).toEqual(
      new Map([
        ['d', 1900n],
        ['d/f', 1001n],
      ]),
    );
  });
});
