import { createHash, timingSafeEqual } from 'node:crypto';
import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs';
import type { BigIntStats } from 'node:fs';
import { display, toBuffer } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { isSystemError, messageOf, refused, usage } from '../base/errors.js';
import { exposureOnTheWay, exposureText, isTrusted } from '../platform/exposure.js';
import { openFlags } from '../platform/open-flags.js';

/** What a token allows, by its name in the audit log. */
export interface Token {
  readonly name: string;
  readonly readOnly: boolean;
  /** SHA-256 of it. */
  readonly digest: Buffer;
}

const longestFile = 64 << 10;
/** Characters: 32 of base64 are 192 bits. */
const shortest = 32;
const line = /^([A-Za-z0-9][A-Za-z0-9._-]{0,63})[ \t]+([A-Za-z0-9+/=_-]+)(?:[ \t]+(read-only))?$/;

const howToMake = 'make one with: (umask 077; printf "NAME %s\\n" "$(openssl rand -hex 32)" >FILE)';

/**
 * The tokens of a file, a line each: a name, the token, and `read-only` where it may not change anything. Lines that
 * begin with `#` are comments. Only the hashes of tokens are kept.
 * @throws LaminaError refused: others may read or replace the file; usage: it is missing or malformed
 */
export class TokenFile {
  #stamp = '';
  #tokens: readonly Token[] = [];

  constructor(readonly path: BytePath) {
    this.reload();
  }

  /** Reads the file again if it was changed: a token that was removed from it is refused from then on. */
  reload(): void {
    const descriptor = openTokens(this.path);
    try {
      const status = fstatSync(descriptor, { bigint: true });
      checkPrivate(this.path, status);
      const stamp = `${status.ino}-${status.mtimeNs}-${status.ctimeNs}`;
      if (stamp === this.#stamp) return;
      this.#tokens = parseTokens(readFileSync(descriptor, 'latin1'), display(this.path));
      this.#stamp = stamp;
    } finally {
      closeSync(descriptor);
    }
  }

  /** The token that a caller has shown; undefined: it is none of the file's. Takes as long for every wrong one. */
  find(shown: string): Token | undefined {
    const digest = digestOf(shown);
    let found: Token | undefined;
    for (const token of this.#tokens) if (timingSafeEqual(token.digest, digest)) found = token;
    return found;
  }

  /** As `find`, of a token by its hash. */
  withDigest(digest: Buffer): Token | undefined {
    return this.#tokens.find((token) => token.digest.equals(digest));
  }
}

const digestOf = (token: string) => createHash('sha256').update(token).digest();

function openTokens(path: BytePath): number {
  const exposed = exposureOnTheWay(path);
  if (exposed !== undefined)
    throw refused(`others may replace the token file ${display(path)}: ${exposureText(exposed)}`, {
      code: 'TOKEN_FILE_EXPOSED',
      hint: 'move it into a directory that only its owner may write',
    });
  try {
    return openSync(toBuffer(path), openFlags.read);
  } catch (error) {
    if (isSystemError(error, 'ENOENT', 'ENOTDIR'))
      throw usage(`there is no token file ${display(path)}`, { code: 'NO_TOKEN_FILE', hint: howToMake });
    throw usage(`cannot read the token file ${display(path)}: ${messageOf(error)}`, { cause: error });
  }
}

function checkPrivate(path: BytePath, status: BigIntStats): void {
  const shown = display(path);
  if (!status.isFile() || status.size > longestFile)
    throw usage(`${shown} is not a token file`, { code: 'BAD_TOKEN_FILE', hint: howToMake });
  if (isTrusted(Number(status.uid), path) && (status.mode & 0o077n) === 0n) return;
  throw refused(`other users may read or change the token file ${shown}`, {
    code: 'TOKEN_FILE_EXPOSED',
    hint: `take ownership of it: chown "$(id -u)" ${shown} && chmod 0600 ${shown}; and replace its tokens, which others may know`,
  });
}

/** @throws LaminaError usage. No message shows a token */
export function parseTokens(text: string, where: string): Token[] {
  const tokens = text.split('\n').flatMap((each, at) => {
    if (/^\s*(#.*)?$/.test(each)) return [];
    const [, name = '', token = '', mode] = line.exec(each.trim()) ?? [];
    const bad = (why: string) =>
      usage(`line ${at + 1} of ${where} ${why}`, { code: 'BAD_TOKEN_FILE', hint: howToMake });
    if (name === '') throw bad("is not NAME TOKEN, or NAME TOKEN 'read-only'");
    if (token.length < shortest) throw bad(`has a token of fewer than ${shortest} characters, which could be guessed`);
    return [{ name, readOnly: mode !== undefined, digest: digestOf(token) }];
  });
  if (tokens.length === 0) throw usage(`${where} has no token`, { code: 'BAD_TOKEN_FILE', hint: howToMake });
  const double = tokens.find(({ name }, at) => tokens.findIndex((each) => each.name === name) !== at);
  if (double === undefined) return tokens;
  throw usage(`${where} has two tokens named ${double.name}`, {
    code: 'BAD_TOKEN_FILE',
    hint: 'give each a different name: the audit log shows it',
  });
}
