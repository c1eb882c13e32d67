import { sign } from 'node:crypto';
import { readdir, open, stat } from 'node:fs/promises';
import { Signature } from '@tufjs/models';
import { display, fromBuffer, fromText, join, toBuffer, toText } from '../../base/bytes.js';
import type { BytePath } from '../../base/bytes.js';
import { LaminaError, isSystemError, refused } from '../../base/errors.js';
import { makeDirectoryDurably, writeFileDurably, renameDurably } from '../../platform/durable.js';
import { openFlags } from '../../platform/open-flags.js';
import type { Role } from '../names.js';
import { encodeKey, parseKeyFile, unlockKey } from './key-file.js';
import type { KeyFile, SigningKey } from './key-file.js';

/**
 * Gives the passphrase of an encrypted key. Keys of a channel mostly have one, but need not.
 * @param what the key, for the question
 * @param attempt from 0; higher where the last answer was not the passphrase of this key
 * @returns undefined: there is no other answer
 */
export type AskPassphrase = (what: string, attempt: number) => Promise<string | undefined>;

const largestKeyFile = 64 * 1024;
const keyNamePattern = /^(root|targets|snapshot|timestamp|rollout)-[0-9a-f]{16}\.key$/;
const retiredSuffix = '.retired';

/**
 * The keys at hand: the files `ROLE-ID.key` in directories, each of mode 0600. Not all keys of a channel need be here:
 * a machine that only refreshes the timestamp has the key of that role alone.
 */
export class KeyRing {
  readonly #unlocked = new Map<string, SigningKey>();

  private constructor(
    readonly directories: readonly BytePath[],
    private readonly files: ReadonlyMap<string, { readonly file: KeyFile; readonly path: BytePath }>,
    private readonly ask: AskPassphrase,
  ) {}

  /** @throws LaminaError refused (KEY_EXPOSED): others may read a key; failed: BAD_KEY_FILE */
  static async open(directories: readonly BytePath[], ask: AskPassphrase): Promise<KeyRing> {
    const files = new Map<string, { file: KeyFile; path: BytePath }>();
    for (const directory of directories) {
      for (const path of await keyPaths(directory)) {
        const file = parseKeyFile(await readKey(path), display(path));
        files.set(file.id, { file, path });
      }
    }
    return new KeyRing(directories, files, ask);
  }

  /** The ids of the keys that are here, of those given: first those for which no passphrase must be asked any more. */
  here(ids: readonly string[]): string[] {
    const unlocked = ids.filter((id) => this.#unlocked.has(id));
    return [...unlocked, ...ids.filter((id) => !this.#unlocked.has(id) && this.files.has(id))];
  }

  /** @throws LaminaError as `unlockKey` */
  async unlock(id: string): Promise<SigningKey> {
    const known = this.#unlocked.get(id);
    if (known !== undefined) return known;
    const found = this.files.get(id);
    if (found === undefined) throw new TypeError(`the key ${id} is not here`);
    const shown = display(found.path);
    for (let attempt = 0, last: unknown; ; attempt++) {
      const given = found.file.encryption === null ? '' : await this.ask(shown, attempt);
      if (given === undefined) throw last;
      try {
        const key = await unlockKey(found.file, shown, given);
        this.#unlocked.set(id, key);
        return key;
      } catch (error) {
        if (!(error instanceof LaminaError) || error.code !== 'BAD_PASSPHRASE') throw error;
        last = error;
      }
    }
  }

  /** Holds a new key, which is not yet on disk. */
  add(key: SigningKey): void {
    this.#unlocked.set(key.id, key);
  }

  /** Marks the file of a key that signs no longer, so that nobody takes it for one that does; it is not removed. */
  async retire(id: string): Promise<void> {
    const found = this.files.get(id);
    if (found !== undefined) await renameDurably(found.path, `${found.path}${retiredSuffix}` as BytePath);
  }
}

async function keyPaths(directory: BytePath): Promise<BytePath[]> {
  try {
    const names = await readdir(toBuffer(directory), { encoding: 'buffer' });
    // A stick may hold other keys, too.
    const keys = names.map(fromBuffer).filter((name) => keyNamePattern.test(toText(name)));
    return keys.sort().map((name) => join(directory, name));
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return [];
    throw error;
  }
}

async function readKey(path: BytePath): Promise<Buffer> {
  const handle = await open(toBuffer(path), openFlags.read);
  try {
    const status = await handle.stat();
    if (!status.isFile() || status.size > largestKeyFile) return Buffer.alloc(0);
    if ((status.mode & 0o077) !== 0)
      throw refused(`others may read the key ${display(path)}: its mode is ${(status.mode & 0o777).toString(8)}`, {
        code: 'KEY_EXPOSED',
        hint: 'chmod 600 it, or mount a stick that has no modes with -o umask=077; if it was read, replace the key',
      });
    return await handle.readFile();
  } finally {
    await handle.close();
  }
}

/** Writes a key's file, mode 0600, in a directory of mode 0700. Returns its path. */
export async function storeKey(
  directory: BytePath,
  key: SigningKey,
  passphrase: string | undefined,
): Promise<BytePath> {
  await makePrivate(directory);
  const path = join(directory, fromText(keyName(key.role, key.id)));
  await writeFileDurably(path, await encodeKey(key, passphrase), { mode: 0o600 });
  return path;
}

const keyName = (role: Role, id: string) => `${role}-${id.slice(0, 16)}.key`;

async function makePrivate(directory: BytePath): Promise<void> {
  try {
    await stat(toBuffer(directory));
  } catch (error) {
    if (!isSystemError(error, 'ENOENT')) throw error;
    await makeDirectoryDurably(directory, 0o700);
  }
}

/** A signature in the form of TUF. */
export function signatureOf(key: SigningKey, bytes: Buffer): Signature {
  return new Signature({ keyID: key.id, sig: sign(null, bytes, key.private).toString('hex') });
}
