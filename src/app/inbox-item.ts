import { existsSync, lstatSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { display, join, toBuffer, toText } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { failed, isSystemError, toLaminaError, usage } from '../base/errors.js';
import type { LaminaError } from '../base/errors.js';
import { isoNow } from '../base/time.js';
import { own, updateNamed } from '../manifest/index.js';
import { makeDirectoryDurably, removeDurably, renameDurably, writeFileDurably } from '../platform/durable.js';
import { checkProcedure, intendedBase } from '../servicing/index.js';
import type { Store } from '../store/index.js';
import { applyChecked } from './apply.js';
import { updateData } from './data.js';
import type { UpdateData } from './data.js';
import { lookAt, rollbackOf } from './inbox.js';
import type { InboxItem } from './inbox.js';
import { isPassing } from './patience.js';
import { rollback } from './rollback.js';
import type { RollbackData } from './rollback.js';

/** The report of an item (docs/format.md, "Inbox"). */
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

type Done = Pick<ItemReport, 'outcome'> & Partial<Pick<ItemReport, 'update' | 'rollback' | 'error'>>;

interface Desk {
  readonly store: Store;
  readonly inbox: BytePath;
  /** For what does not say which base it is for. */
  readonly base: string | undefined;
  readonly signal: AbortSignal;
}

/** How an item is tried. */
interface Attempt {
  /** The first time that it was. */
  readonly started: string;
  /** Whether it will be tried again where others have what it needs. */
  readonly patient: boolean;
}

/**
 * Does what an item asks for and puts it away with its report.
 * @returns undefined where it was aborted: the item stays
 * @throws LaminaError damaged: it is the store that fails, and not the item; with `patient` what `isPassing` names: the item stays
 */
export async function workOff(
  desk: Desk,
  item: InboxItem,
  { started, patient }: Attempt,
): Promise<ItemReport | undefined> {
  let done: Done;
  try {
    const update = rollbackOf(item.name);
    done = update === undefined ? await apply(desk, item) : await undo(desk, item, toText(update));
  } catch (thrown) {
    if (desk.signal.aborted) return undefined;
    const error = toLaminaError(thrown);
    if (error.kind === 'damaged' || (patient && isPassing(error))) throw error;
    done = { outcome: 'failed', error: errorData(error) };
  }
  const nothing = { update: null, rollback: null, error: null };
  const report = { version: 1 as const, item: toText(item.name), ...nothing, ...done, started, ended: isoNow() };
  await putAway(desk.inbox, item, report);
  return report;
}

function errorData({ code, message, hint }: LaminaError): NonNullable<ItemReport['error']> {
  return { code, message, hint: hint ?? null };
}

async function apply({ store, base, signal }: Desk, { path }: InboxItem): Promise<Done> {
  checkPlain(path);
  const given = await checkProcedure(path);
  const target = (await intendedBase(given)) ?? base;
  if (target === undefined) {
    throw usage(`${display(path)} does not say which base it is for`, {
      code: 'BASE_NEEDED',
      hint: 'put "base" into its update.json, or start the watch with --base',
    });
  }
  const result = await applyChecked(store, { base: target, procedure: path, network: false, repeated: 'tell', signal });
  if (result.id === undefined || result.update === undefined) return { outcome: 'unchanged' };
  const update = updateData(await store.read(), result.id, result.update);
  return { outcome: result.already === true ? 'already' : 'applied', update };
}

/** What is moved away must be what was looked at. */
function checkPlain(path: BytePath): void {
  if (!lstatSync(toBuffer(path)).isSymbolicLink()) return;
  throw usage(`${display(path)} is a symlink`, { code: 'BAD_ITEM', hint: 'move the package itself into the inbox' });
}

/** A rolled-back update is gone from the manifest: that it was this item's doing must be written down before. */
async function undo({ store, inbox, signal }: Desk, { name, path }: InboxItem, update: string): Promise<Done> {
  const stats = lstatSync(toBuffer(path));
  if (!stats.isFile() || stats.size > 0) {
    throw usage(`${display(path)} is not an empty file`, {
      code: 'BAD_ITEM',
      hint: 'an empty file NAME.rollback rolls update NAME back; give a package another name',
    });
  }
  const manifest = await store.read();
  const intent = join(inbox, '.rolling-back.json');
  const begun = await readIntent(intent);
  if (begun?.item === toText(name)) {
    const state = own(manifest.updates, begun.update)?.state ?? 'gone';
    if (state !== 'committed' && state !== 'merged') return { outcome: 'already' };
  }
  const { id } = updateNamed(manifest, update);
  signal.throwIfAborted();
  await writeFileDurably(intent, `${JSON.stringify({ version: 1, item: toText(name), update: id })}\n`);
  return { outcome: 'rolled-back', rollback: await rollback(store, update, {}) };
}

async function readIntent(path: BytePath): Promise<{ item: string; update: string } | undefined> {
  try {
    const value: unknown = JSON.parse(await readFile(toBuffer(path), 'utf8'));
    const { item, update } = value as Record<string, unknown>;
    if (typeof item === 'string' && typeof update === 'string') return { item, update };
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return undefined;
    if (!(error instanceof SyntaxError || error instanceof TypeError)) throw error;
  }
  throw failed(`${display(path)} is not what lamina watch wrote`, { code: 'BAD_INTENT', hint: 'remove it' });
}

/** The report comes first: what is in `done` or `failed` has one. What came in the item's place meanwhile stays. */
async function putAway(inbox: BytePath, item: InboxItem, report: ItemReport): Promise<void> {
  const directory = join(inbox, report.outcome === 'failed' ? 'failed' : 'done');
  if (!existsSync(toBuffer(directory))) await makeDirectoryDurably(directory);
  const target = freeName(directory, item.name);
  await writeFileDurably(`${target}.json` as BytePath, `${JSON.stringify(report, null, 2)}\n`);
  if (lookAt(inbox, item.name)?.mark === item.mark) await renameDurably(item.path, target, 'noreplace');
  await removeDurably(join(inbox, '.rolling-back.json'));
}

/** NAME, or NAME-2, … where there is one already. */
function freeName(directory: BytePath, name: BytePath): BytePath {
  for (let count = 1; ; count++) {
    const path = join(directory, count === 1 ? name : `${name}-${count}`);
    if (!existsSync(toBuffer(path)) && !existsSync(toBuffer(`${path}.json` as BytePath))) return path;
  }
}
