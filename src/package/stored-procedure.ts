import { createHash } from 'node:crypto';
import { chmodSync, copyFileSync, mkdirSync, statSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { display, fromBuffer, fromText, join, toBuffer } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { damaged, refused } from '../base/errors.js';
import type { Update } from '../manifest/index.js';
import { renameDurably, stageFile, stagedStep } from '../platform/durable.js';
import { hexOfHash } from '../platform/hash.js';
import { withHeld } from '../platform/held.js';
import { removeTree } from '../platform/walk.js';
import { importDirectory, importTar, scanTree, xxh64 } from '../store/index.js';
import type { ScannedEntry } from '../store/index.js';
import { sameProcedure } from './applicable.js';
import { formOf, nameFrom, plainProcedure, readPackage } from './procedure.js';
import type { GivenProcedure, Procedure, ProcedureImage } from './procedure.js';

/**
 * Keeps the procedure at `target`, so that it can be inspected and run again, and reads the stored copy.
 * @param maxBytes of an archive: `ImportOptions.maxBytes`
 * @throws LaminaError as `checkProcedure`; refused: an unsafe archive, or one beyond a limit; failed: a broken one
 */
export async function storeProcedure(
  given: GivenProcedure,
  target: BytePath,
  maxBytes?: number,
): Promise<{ procedure: Procedure; stored: Update['procedure'] }> {
  return withHeld(given.from, async ({ at }) => storeHeld(at, given, target, maxBytes));
}

/** The copy is what counts: it is checked again. @param at the source, held so that renaming it changes nothing */
async function storeHeld(
  at: BytePath,
  { source, form }: GivenProcedure,
  target: BytePath,
  maxBytes: number | undefined,
): ReturnType<typeof storeProcedure> {
  if (formOf(at, source) !== form) throw changedMeanwhile(source);
  if (form === 'script') {
    stagedStep(target);
    copyFileSync(toBuffer(at), toBuffer(target));
    chmodSync(toBuffer(target), 0o755);
  } else if (form === 'directory') {
    await importDirectory(at, target, { calledAs: display(source) });
  } else {
    await unpack(at, source, target, maxBytes);
  }
  const procedure =
    form === 'script'
      ? { ...plainProcedure, kind: 'script' as const, file: '', defaultName: nameFrom(source) }
      : await readPackage(target, source);
  return { procedure, stored: { kind: procedure.kind, hash: await contentHash(target) } };
}

/**
 * Keeps an update that is an image as a package that names it, and its digest: so it is known again.
 * @param name for the update, where none is given
 */
export async function storeImageProcedure(
  image: ProcedureImage,
  name: string,
  target: BytePath,
): ReturnType<typeof storeProcedure> {
  const { reference, digest } = image;
  mkdirSync(toBuffer(target), { mode: 0o700 });
  const text = JSON.stringify({ version: 1, procedure: { image: reference, digest } }, null, 2);
  stageFile(join(target, 'update.json'), `${text}\n`);
  const procedure = {
    ...plainProcedure,
    kind: 'image' as const,
    file: '',
    image,
    defaultName: nameFrom(fromText(name)),
  };
  return { procedure, stored: { kind: 'image', hash: await contentHash(target) } };
}

function changedMeanwhile(source: BytePath) {
  return refused(`the procedure ${display(source)} was replaced while it was read`, {
    code: 'PATH_CHANGED',
    hint: 'find out which process changes it, and try again',
  });
}

/** A tar of a package: of what is in its directory, or of the directory itself. */
async function unpack(at: BytePath, source: BytePath, target: BytePath, maxBytes: number | undefined): Promise<void> {
  const whole = `${target}.unpacked` as BytePath;
  await importTar(at, whole, { calledAs: display(source), maxBytes });
  const names = await readdir(toBuffer(whole), 'buffer');
  const [only] = names;
  const outer = names.length === 1 && only !== undefined ? join(whole, fromBuffer(only)) : undefined;
  if (outer !== undefined && statSync(toBuffer(outer), { throwIfNoEntry: false })?.isDirectory() === true) {
    await renameDurably(outer, target);
    removeTree(whole);
  } else {
    await renameDurably(whole, target);
  }
}

/**
 * The procedure of an update that is in the store.
 * @param at where it lies
 * @param hint what to do where it is damaged
 * @throws LaminaError damaged: it differs from what was applied
 */
export async function readStored(
  at: BytePath,
  update: Pick<Update, 'name' | 'procedure'>,
  hint = 'run lamina verify',
): Promise<Procedure> {
  const { kind, hash } = update.procedure;
  let found: string;
  try {
    found = await contentHash(at);
  } catch (error) {
    throw damagedProcedure(update, hint, error);
  }
  if (!sameProcedure(found, hash)) throw damagedProcedure(update, hint, undefined);
  return kind === 'script' ? { ...plainProcedure, kind, file: '', defaultName: update.name } : readPackage(at, at);
}

function damagedProcedure(update: Pick<Update, 'name'>, hint: string, cause: unknown) {
  return damaged(`the procedure of update '${update.name}' differs from what was applied`, {
    code: 'PROCEDURE_DAMAGED',
    hint,
    cause,
  });
}

/** Of names, modes and contents, by both hashes: docs/format.md, `procedure.hash`. */
async function contentHash(path: BytePath): Promise<string> {
  const entries = await scanTree(path, { hash: 'both' });
  const lines = (hashOf: (entry: ScannedEntry) => string) => {
    const each = entries.map((entry) => `${entry.path}\0${hashOf(entry)}\0${entry.stats.mode.toString(8)}\n`);
    return Buffer.from(each.join(''), 'latin1');
  };
  const old = await xxh64(lines((entry) => entry.xxh64.toString(16)));
  const strong = createHash('sha256').update(lines((entry) => entry.target + hexOfHash(entry.hash)));
  return old.toString(16).padStart(16, '0') + strong.digest('hex');
}
