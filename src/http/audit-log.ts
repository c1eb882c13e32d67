import { closeSync, constants, fdatasyncSync, openSync, readFileSync, renameSync, statSync, writeSync } from 'node:fs';
import { join, toBuffer } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { isSystemError } from '../base/errors.js';
import { newId } from '../base/ids.js';
import { jsonOf } from '../base/json.js';
import { auditEntry } from './documents.js';
import type { AuditEntry } from './documents.js';

/** A file that is longer is kept beside the new one, in place of the one before it. Bytes. */
const longestFile = 16 << 20;
const mostEntries = 20_000;
/** Characters of all entries in memory: as many as the two files may have. */
const mostCharacters = 2 * longestFile;

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

  constructor(serve: BytePath) {
    this.#file = join(serve, 'audit.ndjson');
    this.#older = join(serve, 'audit-older.ndjson');
    for (const path of [this.#older, this.#file]) for (const entry of entriesOf(path)) this.#keep(entry);
  }

  /** @returns the id of the entry */
  begin(action: Begun): string {
    const id = newId('l');
    this.#write({ id, ...action, outcome: 'running', message: null, ended: null });
    return id;
  }

  /** An action that was not allowed. */
  refuse(action: Omit<Begun, 'job'>, message: string): void {
    const { time } = action;
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
    this.#rotate();
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND | constants.O_NOFOLLOW;
    const descriptor = openSync(toBuffer(this.#file), flags, 0o600);
    try {
      writeSync(descriptor, `${JSON.stringify(entry)}\n`);
      fdatasyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
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

  #rotate(): void {
    const status = statSync(toBuffer(this.#file), { throwIfNoEntry: false });
    if (status !== undefined && status.size > longestFile) renameSync(toBuffer(this.#file), toBuffer(this.#older));
  }
}

/** The last line may be cut off by a crash; what is no entry is left out. */
function entriesOf(path: BytePath): AuditEntry[] {
  try {
    const lines = readFileSync(toBuffer(path), 'utf8').split('\n');
    return lines.flatMap((line) => auditEntry.safeParse(jsonOf(line)).data ?? []);
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return [];
    throw error;
  }
}
