import { isUtf8 } from 'node:buffer';
import { fstatSync, watch as watchDirectory } from 'node:fs';
import { relative } from 'node:path';
import { performance } from 'node:perf_hooks';
import { components, display, fromText, join, shellWord, toBuffer, toText } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { isSystemError, notFound, refused } from '../base/errors.js';
import type { LaminaError } from '../base/errors.js';
import { longestTimerMs } from '../base/time.js';
import { exposureAt, exposureOnTheWay } from '../platform/exposure.js';
import type { Exposure } from '../platform/exposure.js';
import { holdPath } from '../platform/held.js';
import type { Held } from '../platform/held.js';
import { tryLock } from '../platform/lock.js';
import type { Store } from '../store/index.js';
import { Arrivals, inboxNames, isIgnored, scanInbox } from './items.js';
import type { InboxItem } from './items.js';
import { processItem } from './process-item.js';
import type { ItemReport } from './process-item.js';
import { Retries, isTransient } from './retries.js';

export interface WatchRequest {
  readonly inbox: BytePath;
  /** For items that do not name their base. */
  readonly base?: string | undefined;
  /** Processes only the current items. */
  readonly once: boolean;
  /** How long an item must not have changed to count as complete. */
  readonly settleMs: number;
  /** How long an item is retried while others hold what it needs: the store, or a container that is mounted. */
  readonly patienceMs: number;
  /** Of archives: `ImportOptions.maxBytes`. */
  readonly maxBytes?: number | undefined;
  /** Ends the watch; what is being done then is aborted and stays in the inbox. */
  readonly signal: AbortSignal;
  /** Accept that others may write to the inbox: anyone who puts a package there can change every container. */
  readonly shared: boolean;
  readonly onItem?: ((report: ItemReport) => void) | undefined;
  /** Called when an item has to wait, once for each reason. */
  readonly onWait?: ((item: string, reason: LaminaError) => void) | undefined;
}

export interface WatchData {
  readonly done: number;
  readonly failed: number;
}

/** The poll interval for file systems that do not report changes (network ones). */
const longestPauseMs = 10_000;

/**
 * Processes an inbox, one item at a time in the order of arrival, until the signal; with `once` until it is empty.
 * @throws LaminaError notFound: no such directory; refused: another command watches it; damaged: the store
 */
export async function watchInbox(store: Store, request: WatchRequest): Promise<WatchData> {
  const { inbox } = request;
  const held = holdInbox(inbox, request.shared);
  try {
    await store.read();
    const lock = tryLock(join(held.at, inboxNames.lock), 'exclusive');
    if (lock === undefined)
      throw refused(`${display(inbox)} is already being watched`, {
        code: 'WATCHED',
        hint: 'stop the other lamina watch first',
      });
    try {
      return await watchHeld(store, request, held.at);
    } finally {
      lock.release();
    }
  } finally {
    held.close();
  }
}

async function watchHeld(store: Store, request: WatchRequest, at: BytePath): Promise<WatchData> {
  const bell = new Bell(request.signal);
  // Its events only wake the loop: watching by the inbox's name is harmless.
  const following = request.once ? undefined : await follow(request.inbox, bell);
  try {
    return await workThrough(store, request, at, bell);
  } finally {
    await following?.close();
    bell.end();
  }
}

/** @throws LaminaError notFound, refused: no such directory, or others may write to it and that was not allowed */
function holdInbox(inbox: BytePath, shared: boolean): Held {
  let held: Held;
  try {
    held = holdPath(inbox);
  } catch (error) {
    if (!isSystemError(error, 'ENOENT', 'ENOTDIR')) throw error;
    throw notFound(`there is no directory ${display(inbox)}`, {
      code: 'NO_INBOX',
      hint: `make it: mkdir ${shellWord(inbox)}`,
    });
  }
  try {
    if (!fstatSync(held.descriptor).isDirectory())
      throw refused(`${display(inbox)} is not a directory`, {
        code: 'NOT_A_DIRECTORY',
        hint: 'give a directory to watch',
      });
    if (!shared) refuseShared(inbox, exposureOnTheWay(inbox) ?? exposureAt(held.at, inbox));
  } catch (error) {
    held.close();
    throw error;
  }
  return held;
}

function refuseShared(inbox: BytePath, exposed: Exposure | undefined): void {
  if (exposed === undefined) return;
  const { path, how, uid } = exposed;
  const why = how === 'owner' ? `${display(path)} belongs to user ${uid}` : `${display(path)} is writable by others`;
  throw refused(`other users may put packages into the inbox ${display(inbox)}: ${why}`, {
    code: 'INBOX_SHARED',
    hint: `they could change every container: remove their permission (chown, chmod go-w ${shellWord(path)}), or use --shared if that is intended`,
  });
}

async function workThrough(store: Store, request: WatchRequest, at: BytePath, bell: Bell): Promise<WatchData> {
  const { once, signal, settleMs } = request;
  const arrivals = new Arrivals(settleMs);
  const retries = new Retries(request.patienceMs);
  const counts = { done: 0, failed: 0 };
  while (!signal.aborted) {
    const items = scanInbox(at);
    const { arrived, waitMs } = arrivals.sort(items, Date.now(), performance.now());
    const [first] = arrived;
    if (first !== undefined) {
      const report = await tryItem(store, { ...request, at }, first, retries);
      if (report === undefined) continue;
      counts[report.outcome === 'failed' ? 'failed' : 'done'] += 1;
      request.onItem?.(report);
    } else if (once && items.length === 0) {
      break;
    } else {
      await bell.wait(waitMs ?? longestPauseMs);
    }
  }
  return counts;
}

/** Undefined where the item stays: it was aborted, or it and all later ones wait for others. */
async function tryItem(
  store: Store,
  { inbox, at, base, maxBytes, signal, onWait }: WatchRequest & { readonly at: BytePath },
  item: InboxItem,
  retries: Retries,
): Promise<ItemReport | undefined> {
  const attempt = retries.begin(item, performance.now());
  try {
    return await processItem({ store, inbox: at, name: inbox, base, maxBytes, signal }, item, attempt);
  } catch (error) {
    if (!attempt.retry || !isTransient(error)) throw error;
    if (retries.isNewReason(error)) onWait?.(toText(item.name), error);
    await retries.pause(performance.now(), signal);
    return undefined;
  }
}

/** Rings for every change in what the inbox holds. */
async function follow(inbox: BytePath, bell: Bell): Promise<{ close(): Promise<void> | void }> {
  if (!isUtf8(toBuffer(inbox))) return followBytes(inbox, bell);
  const { watch } = await import('chokidar');
  const root = toText(inbox);
  const ignored = (path: string) => isIgnored(components(fromText(relative(root, path)))[0] ?? '');
  const watcher = watch(root, { ignored, ignoreInitial: true, followSymlinks: false });
  // Raw events too: chokidar drops some of those that come close together.
  for (const event of ['all', 'raw'] as const) {
    watcher.on(event, () => {
      bell.ring();
    });
  }
  watcher.on('error', (error) => {
    bell.fail(error);
  });
  await new Promise<void>((resolve) => {
    watcher.once('ready', resolve);
    watcher.once('error', () => {
      resolve();
    });
  });
  return watcher;
}

/** chokidar handles UTF-8 paths only. What changes within a package is seen at the next scan. */
function followBytes(inbox: BytePath, bell: Bell): { close(): void } {
  const watcher = watchDirectory(toBuffer(inbox), () => {
    bell.ring();
  });
  watcher.on('error', (error) => {
    bell.fail(error);
  });
  return watcher;
}

/** Wakes a waiter. A ring without a waiter wakes the next one at once. */
class Bell {
  #rung = false;
  #failure: { readonly error: unknown } | undefined;
  #wake: (() => void) | undefined;

  readonly #onAbort = () => {
    this.ring();
  };

  constructor(readonly signal: AbortSignal) {
    signal.addEventListener('abort', this.#onAbort);
  }

  end(): void {
    this.signal.removeEventListener('abort', this.#onAbort);
  }

  ring(): void {
    this.#rung = true;
    this.#wake?.();
  }

  fail(error: unknown): void {
    this.#failure ??= { error };
    this.ring();
  }

  /** Waits until it rings, at most so long. @throws what `fail` was given */
  async wait(ms: number): Promise<void> {
    if (!this.#rung) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, Math.min(Math.ceil(ms), longestTimerMs));
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    this.#rung = false;
    this.#wake = undefined;
    if (this.#failure !== undefined) throw this.#failure.error;
  }
}
