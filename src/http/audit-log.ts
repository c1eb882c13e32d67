import { closeSync, constants, fsyncSync, openSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, toBuffer } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { isSystemError } from '../base/errors.js';
import { newId } from '../base/ids.js';
import { jsonOf } from '../base/json.js';
import { openFlags } from '../platform/open-flags.js';
import { auditEntry } from './documents.js';
import type { AuditEntry } from './documents.js';

/** A file that is longer is kept beside the new one, in place of the one before it. Bytes. */
const longestFile = 16 << 20;
const mostEntries = 20_000;
/** Characters of all entries in memory: as many as the two files may have. */
const mostCharacters = 2 * longestFile;
/** Refused actions of a caller that are recorded in a minute: else it could push out what others did. */
const mostRefused = 30;
const minute = 60_000;

type Begun = Pick<AuditEntry, 'by' | 'action' | 'request' | 'job' | 'time'>;
type Ended = Pick<AuditEntry, 'outcome' | 'message' | 'ended'>;

/**
 * Who did what, when, and the outcome: a line of JSON for the begin of an action, and one more with its end. An
 * entry is on disk before the action begins.
 */
export class AuditLog {
  readonly #file: BytePath;
  readonly #older: BytePath;
  /** By id, oldest first. */
  readonly #entries = new Map<string, { readonly entry: AuditEntry; readonly length: number }>();
  #characters = 0;
  /** Whether the file ends within a line: a write failed, or a crash came. */
  #isTorn = false;
  /** By caller, since when and how often. */
  readonly #refused = new Map<string, { readonly since: number; count: number }>();

  constructor(serve: BytePath) {
    this.#file = join(serve, 'audit.ndjson');
    this.#older = join(serve, 'audit-older.ndjson');
    for (const path of [this.#older, this.#file]) {
      const text = textOf(path);
      for (const entry of entriesOf(text)) this.#keep(entry);
      this.#isTorn = !/(^|\n)$/.test(text);
    }
  }

  /** @returns the id of the entry */
  begin(action: Begun): string {
    const id = newId('l');
    this.#write({ id, ...action, outcome: 'running', message: null, ended: null });
    return id;
  }

  /** An action that was not allowed. */
  refuse(action: Omit<Begun, 'job'>, reason: string): void {
    const { by, time } = action;
    const known = this.#refused.get(by);
    const counted = known !== undefined && Date.now() - known.since < minute ? known : { since: Date.now(), count: 0 };
    this.#refused.set(by, counted);
    counted.count += 1;
    if (counted.count > mostRefused) return;
    const message = counted.count < mostRefused ? reason : `${reason}; further ones of this minute are not recorded`;
    this.#write({ id: newId('l'), ...action, job: null, outcome: 'refused', message, ended: time });
  }

  /** Does nothing where the entry is too old to be known. */
  end(id: string, end: Ended): void {
    const entry = this.#entries.get(id)?.entry;
    if (entry !== undefined) this.#write({ ...entry, ...end });
  }

  /** Newest first. */
  list(): AuditEntry[] {
    return [...this.#entries.values()].map(({ entry }) => entry).reverse();
  }

  #write(entry: AuditEntry): void {
    const isNew = this.#rotate();
    const line = `${this.#isTorn ? '\n' : ''}${JSON.stringify(entry)}\n`;
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND | constants.O_NOFOLLOW;
    this.#isTorn = true;
    withOpen(this.#file, flags, (descriptor) => {
      writeFileSync(descriptor, line);
      fsyncSync(descriptor);
    });
    this.#isTorn = false;
    if (isNew) withOpen(dirname(this.#file), openFlags.directory, fsyncSync);
    this.#keep(entry);
  }

  #keep(entry: AuditEntry): void {
    const { length } = JSON.stringify(entry);
    this.#characters += length - (this.#entries.get(entry.id)?.length ?? 0);
    this.#entries.set(entry.id, { entry, length });
    for (const [oldest, known] of this.#entries) {
      if (this.#entries.size <= mostEntries && this.#characters <= mostCharacters) break;
      this.#entries.delete(oldest);
      this.#characters -= known.length;
    }
  }

  /** Whether the next write makes a new file. */
  #rotate(): boolean {
    const status = statSync(toBuffer(this.#file), { throwIfNoEntry: false });
    if (status !== undefined && status.size <= longestFile) return false;
    if (status !== undefined) renameSync(toBuffer(this.#file), toBuffer(this.#older));
    this.#isTorn = false;
    return true;
  }
}

function withOpen(path: BytePath, flags: number, work: (descriptor: number) => void): void {
  const descriptor = openSync(toBuffer(path), flags, 0o600);
  try {
    work(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** Empty where there is no file. */
function textOf(path: BytePath): string {
  try {
    return readFileSync(toBuffer(path), 'utf8');
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return '';
    throw error;
  }
}

/** The last line may be cut off by a crash; what is no entry is left out. */
const entriesOf = (text: string): AuditEntry[] =>
  text.split('\n').flatMap((line) => auditEntry.safeParse(jsonOf(line)).data ?? []);
