import { closeSync, existsSync, fstatSync, lstatSync, openSync, readFileSync } from 'node:fs';
import { display, join, toBuffer, toText } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { failed, isSystemError, refused, toLaminaError, usage } from '../base/errors.js';
import type { LaminaError } from '../base/errors.js';
import { isoNow } from '../base/time.js';
import { own, updateNamed } from '../manifest/index.js';
import { checkProcedure, intendedBase } from '../package/index.js';
import { makeDirectoryDurably, removeDurably, renameDurably, writeFileDurably } from '../platform/durable.js';
import { holdPath } from '../platform/held.js';
import type { Held } from '../platform/held.js';
import { openFlags } from '../platform/open-flags.js';
import type { Store } from '../store/index.js';
import { applyUpdate } from '../update/index.js';
import { rollbackData, updateData } from '../data/index.js';
import type { RollbackData, UpdateData } from '../data/index.js';
import { rollback } from '../history/index.js';
import { inboxNames, reportOf, rollbackOf, scanItem } from './items.js';
import type { InboxItem } from './items.js';
import { isTransient } from './retries.js';

/** The report of an item (docs/update-package.md, "Inbox"). */
export interface ItemReport {
  readonly version: 1;
  readonly item: string;
  readonly outcome: 'applied' | 'unchanged' | 'rolled-back' | 'already' | 'failed';
  /** What was applied, now or before. */
  readonly update: UpdateData | null;
  readonly rollback: RollbackData | null;
  readonly error: { readonly code: string; readonly message: string; readonly hint: string | null } | null;
  readonly started: string;
  readonly ended: string;
}

const largestIntent = 1 << 16;

type Done = Pick<ItemReport, 'outcome'> & Partial<Pick<ItemReport, 'update' | 'rollback' | 'error'>>;

/** The inbox from which items come, and how they are applied. */
interface WatchedInbox {
  readonly store: Store;
  /** The held inbox (`Held.at`): its name may lead elsewhere by now. */
  readonly inbox: BytePath;
  /** Its name for people. */
  readonly name: BytePath;
  /** For items that do not name their base. */
  readonly base: string | undefined;
  readonly maxBytes: number | undefined;
  readonly signal: AbortSignal;
}

/** How an item is tried. */
interface Attempt {
  /** The time of the first attempt. */
  readonly started: string;
  /** Whether it will be retried while others hold what it needs. */
  readonly retry: boolean;
}

/**
 * Runs an item and files it with its report.
 * @returns undefined: it was aborted, and the item stays
 * @throws LaminaError damaged: the store, and not the item, is at fault; with `retry` any error for which `isTransient`
 * is true. The item stays
 */
export async function processItem(
  watched: WatchedInbox,
  item: InboxItem,
  { started, retry }: Attempt,
): Promise<ItemReport | undefined> {
  let done: Done;
  try {
    const update = rollbackOf(item.name);
    done = update === undefined ? await apply(watched, item) : await undo(watched, item, toText(update));
  } catch (thrown) {
    if (watched.signal.aborted) return undefined;
    const error = toLaminaError(thrown);
    if (error.kind === 'damaged' || (retry && isTransient(error))) throw error;
    done = { outcome: 'failed', error: errorData(error) };
  }
  const nothing = { update: null, rollback: null, error: null };
  const report = { version: 1 as const, item: toText(item.name), ...nothing, ...done, started, ended: isoNow() };
  await fileItem(watched, item, report);
  return report;
}

function errorData({ code, message, hint }: LaminaError): NonNullable<ItemReport['error']> {
  return { code, message, hint: hint ?? null };
}

async function apply({ store, name, base, maxBytes, signal }: WatchedInbox, item: InboxItem): Promise<Done> {
  const path = join(name, item.name);
  checkPlain(item.path, path);
  const given = await checkProcedure(path, item.path);
  const target = (await intendedBase(given, maxBytes)) ?? base;
  if (target === undefined) {
    throw usage(`${display(path)} does not say which base it is for`, {
      code: 'BASE_NEEDED',
      hint: 'put "base" into its update.json, or start the watch with --base',
    });
  }
  const what = { base: target, procedure: path, procedureAt: item.path, maxBytes };
  const result = await applyUpdate(store, { ...what, network: false, repeated: 'report', signal });
  if (result.id === undefined || result.update === undefined) return { outcome: 'unchanged' };
  const update = updateData(await store.read(), result.id, result.update);
  return { outcome: result.already === true ? 'already' : 'applied', update };
}

/** The moved file must be the one that was checked. */
function checkPlain(at: BytePath, path: BytePath): void {
  if (!lstatSync(toBuffer(at)).isSymbolicLink()) return;
  throw usage(`${display(path)} is a symlink`, { code: 'BAD_ITEM', hint: 'move the package itself into the inbox' });
}

/** A rolled-back update is gone from the manifest: so record first that this item did it. */
async function undo(watched: WatchedInbox, { name, path }: InboxItem, update: string): Promise<Done> {
  const { store, inbox, signal } = watched;
  const stats = lstatSync(toBuffer(path));
  if (!stats.isFile() || stats.size > 0) {
    throw usage(`${display(join(watched.name, name))} is not an empty file`, {
      code: 'BAD_ITEM',
      hint: 'an empty file NAME.rollback rolls update NAME back; give a package another name',
    });
  }
  const manifest = await store.read();
  const intent = join(inbox, inboxNames.intent);
  const begun = readIntent(intent, join(watched.name, inboxNames.intent));
  if (begun?.item === toText(name)) {
    const state = own(manifest.updates, begun.update)?.state ?? 'gone';
    if (state !== 'committed' && state !== 'merged') return { outcome: 'already' };
  }
  const { id } = updateNamed(manifest, update);
  signal.throwIfAborted();
  await writeFileDurably(intent, `${JSON.stringify({ version: 1, item: toText(name), update: id })}\n`);
  return { outcome: 'rolled-back', rollback: rollbackData(await rollback(store, update, {}), false) };
}

function readIntent(path: BytePath, shown: BytePath): { item: string; update: string } | undefined {
  try {
    const value: unknown = JSON.parse(readIfFile(path));
    const { item, update } = value as Record<string, unknown>;
    if (typeof item === 'string' && typeof update === 'string') return { item, update };
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return undefined;
    if (!(error instanceof SyntaxError || error instanceof TypeError)) throw error;
  }
  throw failed(`${display(shown)} was not written by lamina watch`, { code: 'BAD_INTENT', hint: 'remove it' });
}

/** @throws TypeError where it is a symlink, or not a file */
function readIfFile(path: BytePath): string {
  let descriptor: number;
  try {
    descriptor = openSync(toBuffer(path), openFlags.read);
  } catch (error) {
    if (isSystemError(error, 'ELOOP')) throw new TypeError('it is a symlink');
    throw error;
  }
  try {
    const { size } = fstatSync(descriptor);
    if (size > largestIntent) throw new TypeError('it is too large');
    return readFileSync(descriptor, 'utf8');
  } finally {
    closeSync(descriptor);
  }
}

/**
 * Writes the report first, so that everything in `done` or `failed` has one. A file that replaced the item meanwhile
 * stays.
 */
async function fileItem({ inbox, name }: WatchedInbox, item: InboxItem, report: ItemReport): Promise<void> {
  const outcome = report.outcome === 'failed' ? 'failed' : 'done';
  const directory = await outcomeDirectory(inbox, outcome, join(name, outcome));
  try {
    const target = freeName(directory.at, item.name);
    await writeFileDurably(reportOf(target), `${JSON.stringify(report, null, 2)}\n`);
    if (scanItem(inbox, item.name)?.mark === item.mark) await renameDurably(item.path, target, 'noreplace');
  } finally {
    directory.close();
  }
  await removeDurably(join(inbox, inboxNames.intent));
}

/** If others may write to the inbox they may create anything of this name: only a directory of our own counts. */
async function outcomeDirectory(inbox: BytePath, outcome: string, shown: BytePath): Promise<Held> {
  const path = join(inbox, outcome);
  if (lstatSync(toBuffer(path), { throwIfNoEntry: false }) === undefined) await makeDirectoryDurably(path);
  const stats = lstatSync(toBuffer(path));
  const directory = stats.isSymbolicLink() ? undefined : holdPath(path);
  const found = directory === undefined ? stats : fstatSync(directory.descriptor);
  if (directory !== undefined && found.isDirectory() && found.uid === process.getuid?.()) return directory;
  directory?.close();
  throw refused(`${display(shown)} is not a directory that belongs to the user who runs lamina watch`, {
    code: 'BAD_INBOX',
    hint: 'remove it; lamina watch makes it again',
  });
}

/** NAME, or NAME-2, … if the name is taken. */
function freeName(directory: BytePath, name: BytePath): BytePath {
  for (let count = 1; ; count++) {
    const path = join(directory, count === 1 ? name : `${name}-${count}`);
    if (!existsSync(toBuffer(path)) && !existsSync(toBuffer(reportOf(path)))) return path;
  }
}
