import type { BytePath } from '../base/bytes.js';
import { MemoryListing } from './memory.js';
import type { Entry, Listing } from './model.js';

/** When a run wrote: later than `after`, up to and including `until`. Nanoseconds since the epoch. */
export interface Span {
  readonly after: bigint;
  readonly until: bigint;
}

/** What the run on the base wrote, and when. */
export interface TimedRun {
  readonly span: Span;
  /** The delta layer. */
  readonly written: Listing;
}

export function liesWithin({ after, until }: Span, time: bigint): boolean {
  return time > after && time <= until;
}

/** The names of one inode that a run wrote, and the time that it has. */
interface Written {
  readonly names: readonly BytePath[];
  readonly time: bigint;
  readonly directory: boolean;
}

/**
 * The times that what a run wrote in a container must get, by path, where they differ from those it has. Time passes
 * between the run on the base and the one in a container, so a time within a run's span means "now" and is moved to the
 * span of the run on the base: an inode any of whose names the run on the base gave such a time gets the latest of
 * those; every other gets 1 ns more than the greatest among what its run wrote before it. So what a container's run did
 * as the base's has the same times, and times compare as the container's own run left them. A time outside of the span
 * is data (cp -p, touch -d, tar -x) and stays. Times of directories follow, and do not count in the order.
 */
export function alignTimes(capture: Listing, span: Span, base: TimedRun): Map<BytePath, bigint> {
  const moved = new Map<BytePath, bigint>();
  let greatest = base.span.after;
  for (const tie of ties(writtenWithin(capture, span))) {
    const timesOnBase = tie.map(({ names }) => timeOnBase(names, base));
    let next = greatest + 1n;
    tie.forEach(({ directory }, i) => {
      const time = timesOnBase[i];
      if (!directory && time !== undefined && time > next) next = time;
    });
    tie.forEach(({ names, time, directory }, i) => {
      const aligned = timesOnBase[i] ?? next;
      if (!directory && aligned > greatest) greatest = aligned;
      if (aligned !== time) for (const name of names) moved.set(name, aligned);
    });
  }
  return moved;
}

/** A listing with some times replaced. */
export function withTimes(listing: Listing, times: ReadonlyMap<BytePath, bigint>): Listing {
  if (times.size === 0) return listing;
  const entries: Entry[] = [];
  for (const entry of listing.entries()) {
    const mtimeNs = times.get(entry.path);
    entries.push(mtimeNs === undefined ? entry : { ...entry, mtimeNs });
  }
  return new MemoryListing(entries);
}

function writtenWithin(capture: Listing, span: Span): Written[] {
  const written: Written[] = [];
  const groups = new Set<number>();
  for (const { path, type, group, mtimeNs: time } of capture.entries()) {
    if (type === 'whiteout' || !liesWithin(span, time) || groups.has(group)) continue;
    if (group >= 0) groups.add(group);
    written.push({ names: group < 0 ? [path] : capture.group(group), time, directory: type === 'directory' });
  }
  return written;
}

/** Those of the same time together, oldest first. */
function ties(written: Written[]): Written[][] {
  const byTime = new Map<bigint, Written[]>();
  for (const each of written.sort((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0))) {
    const tie = byTime.get(each.time);
    if (tie === undefined) byTime.set(each.time, [each]);
    else tie.push(each);
  }
  return [...byTime.values()];
}

/** The latest time within its span that the run on the base gave to any of the names. */
function timeOnBase(names: readonly BytePath[], { span, written }: TimedRun): bigint | undefined {
  let latest: bigint | undefined;
  for (const name of names) {
    const entry = written.get(name);
    if (entry === undefined || entry.type === 'whiteout' || !liesWithin(span, entry.mtimeNs)) continue;
    if (latest === undefined || entry.mtimeNs > latest) latest = entry.mtimeNs;
  }
  return latest;
}
