import { lstatSync, readdirSync } from 'node:fs';
import { compareBytes, fromBuffer, join, toBuffer } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { LaminaError, isSystemError } from '../base/errors.js';
import { walk } from '../platform/walk.js';

/** Directories in the inbox for finished items, made on demand. */
export const outcomes = ['done', 'failed'] as const;

const rollbackEnding = '.rollback';

/** Files that the watch keeps in the inbox itself. */
export const inboxNames = {
  lock: '.lock',
  /** Which item rolls back which update: written before it does. */
  intent: '.rolling-back.json',
} as const;

/** The report beside a finished item. */
export const reportOf = (item: BytePath): BytePath => `${item}.json` as BytePath;

/** A pending item of an inbox. */
export interface InboxItem {
  readonly name: BytePath;
  /** Its path below the held inbox: for system calls, not for people. */
  readonly path: BytePath;
  /** The newest change in it or of it (ctime), in ms since 1970. A rename into the inbox is one. */
  readonly changedMs: number;
  /** Changes with every change of the item. */
  readonly mark: string;
}

/** Names that the inbox ignores: hidden ones, incomplete copies, and finished items. */
export function isIgnored(name: string): boolean {
  return name.startsWith('.') || /\.(part|tmp)$/i.test(name) || outcomes.some((outcome) => outcome === name);
}

/** The update that an item asks to roll back; undefined: it is a procedure. */
export function rollbackOf(name: BytePath): BytePath | undefined {
  return name.endsWith(rollbackEnding) ? (name.slice(0, -rollbackEnding.length) as BytePath) : undefined;
}

/** The items, in no order; those that vanish during the scan are left out. @throws ENOENT: the inbox is gone */
export function scanInbox(inbox: BytePath): InboxItem[] {
  const names = readdirSync(toBuffer(inbox), 'buffer').map(fromBuffer);
  return names.filter((name) => !isIgnored(name)).flatMap((name) => scanItem(inbox, name) ?? []);
}

/** Undefined where it is gone, or its content changes during the scan. */
export function scanItem(inbox: BytePath, name: BytePath): InboxItem | undefined {
  const path = join(inbox, name);
  try {
    const { ino } = lstatSync(toBuffer(path), { bigint: true });
    let [newest, count, bytes] = [0n, 0, 0n];
    for (const { stats } of walk(path, { tooDeep: 'leave out', hold: true })) {
      if (stats.ctimeNs > newest) newest = stats.ctimeNs;
      count += 1;
      if (stats.isFile()) bytes += stats.size;
    }
    const changedMs = Number(newest / 1_000_000n);
    return { name, path, changedMs, mark: [ino, newest, count, bytes].join(':') };
  } catch (error) {
    if (isSystemError(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) return undefined;
    if (error instanceof LaminaError && error.code === 'PATH_CHANGED') return undefined;
    throw error;
  }
}

/** The order of arrival: what has been complete for longest comes first; at the same time, by name. */
export function byArrival(a: InboxItem, b: InboxItem): number {
  return a.changedMs - b.changedMs || compareBytes(a.name, b.name);
}

interface Seen {
  readonly mark: string;
  readonly since: number;
}

/**
 * Decides what has arrived completely: what has not changed for a while, by its times or, if the clock was set, by
 * observation.
 */
export class Arrivals {
  #seen = new Map<BytePath, Seen>();

  constructor(readonly settleMs: number) {}

  /**
   * @param now ms since 1970; @param elapsed ms of a clock that is never set
   * @returns what has arrived, in order, and how long until the next of the others has, if nothing changes it
   */
  sort(
    items: readonly InboxItem[],
    now: number,
    elapsed: number,
  ): { arrived: InboxItem[]; waitMs: number | undefined } {
    const seen = new Map<BytePath, Seen>();
    const arrived: InboxItem[] = [];
    let waitMs: number | undefined;
    for (const item of items) {
      const before = this.#seen.get(item.name);
      const since = before?.mark === item.mark ? before.since : elapsed;
      seen.set(item.name, { mark: item.mark, since });
      const age = now - item.changedMs;
      const left = this.settleMs - Math.max(age, elapsed - since);
      if (left <= 0) arrived.push(item);
      else waitMs = Math.min(waitMs ?? left, left, this.settleMs);
    }
    this.#seen = seen;
    return { arrived: arrived.sort(byArrival), waitMs };
  }
}
