import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  randomBytes,
  scrypt,
} from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import * as z from 'zod';
import { failed, refused } from '../../base/errors.js';
import { jsonOf } from '../../base/json.js';
import { roles } from '../names.js';
import type { Role } from '../names.js';

const base64 = z.base64();
const encryptionSchema = z.strictObject({
  kdf: z.literal('scrypt'),
  // What scrypt needs is 128 * n * r bytes of memory: bounded, because a file may come from elsewhere.
  n: z
    .int()
    .min(2)
    .max(1 << 20),
  r: z.int().min(1).max(16),
  p: z.int().min(1).max(16),
  salt: base64,
  cipher: z.literal('aes-256-gcm'),
  iv: base64,
  tag: base64,
});

const keySchema = z.strictObject({
  format: z.literal('lamina-channel-key'),
  version: z.literal(1),
  role: z.enum(roles),
  id: z.string().regex(/^[0-9a-f]{64}$/),
  public: z.string().regex(/^[0-9a-f]{64}$/),
  encryption: encryptionSchema.nullable(),
  /** PKCS #8, encrypted where `encryption` says how. */
  private: base64,
});

/** The content of a key's file (docs/format-channel.md, "Channel"). */
export type KeyFile = z.infer<typeof keySchema>;

/** A key that can sign. */
export interface SigningKey {
  readonly id: string;
  readonly role: Role;
  /** 64 hexadecimal digits. */
  readonly public: string;
  readonly private: KeyObject;
}

/** The bytes before a raw Ed25519 key in its SubjectPublicKeyInfo (RFC 8410). */
const spkiPrefix = Buffer.from('302a300506032b6570032100', 'hex');

/** About a quarter of a second and 128 MiB for each guess, as of 2026 (RFC 7914, section 2; OWASP's password sheet). */
const scryptCost = { n: 1 << 17, r: 8, p: 1 };

export function makeKey(role: Role): SigningKey {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  return signingKey(role, privateKey, publicKey);
}

function signingKey(role: Role, privateKey: KeyObject, publicKey = createPublicKey(privateKey)): SigningKey {
  const raw = publicKey.export({ type: 'spki', format: 'der' }).subarray(spkiPrefix.length).toString('hex');
  return { role, id: keyIdOf(raw), public: raw, private: privateKey };
}

/** The id of a public key: the SHA-256 of its canonical JSON (the specification of TUF, 4.2). */
export function keyIdOf(publicHex: string): string {
  const canonical = `{"keytype":"ed25519","keyval":{"public":"${publicHex}"},"scheme":"ed25519"}`;
  return createHash('sha256').update(canonical).digest('hex');
}

/** @param passphrase undefined: the key is not encrypted, and protected by the mode of its file only */
export async function encodeKey(key: SigningKey, passphrase: string | undefined): Promise<Buffer> {
  const head = { format: 'lamina-channel-key', version: 1, role: key.role, id: key.id, public: key.public } as const;
  const plain = key.private.export({ type: 'pkcs8', format: 'der' });
  const file: KeyFile =
    passphrase === undefined
      ? { ...head, encryption: null, private: plain.toString('base64') }
      : { ...head, ...(await encrypted(plain, passphrase, head)) };
  return Buffer.from(`${JSON.stringify(file, null, 2)}\n`);
}

type Head = Pick<KeyFile, 'role' | 'id' | 'public'>;

/** What is beside the key in its file is authenticated with it, so that no key can pass for that of another role. */
const associated = ({ role, id, public: raw }: Head) => Buffer.from(JSON.stringify([role, id, raw]));

async function encrypted(
  plain: Buffer,
  passphrase: string,
  head: Head,
): Promise<Pick<KeyFile, 'encryption' | 'private'>> {
  const salt = randomBytes(32);
  const iv = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', await derive(passphrase, salt, scryptCost), iv);
  cipher.setAAD(associated(head));
  const secret = Buffer.concat([cipher.update(plain), cipher.final()]);
  const encryption = {
    kdf: 'scrypt' as const,
    ...scryptCost,
    salt: salt.toString('base64'),
    cipher: 'aes-256-gcm' as const,
    iv: iv.toString('base64'),
    tag: cipher.getAuthTag().toString('base64'),
  };
  return { encryption, private: secret.toString('base64') };
}

async function derive(passphrase: string, salt: Buffer, cost: { n: number; r: number; p: number }): Promise<Buffer> {
  const options = { N: cost.n, r: cost.r, p: cost.p, maxmem: 256 * cost.n * cost.r };
  const call = promisify<string, Buffer, number, typeof options, Buffer>(scrypt);
  return call(passphrase.normalize('NFC'), salt, 32, options);
}

/** @param shown the file's path, for messages. @throws LaminaError failed (BAD_KEY_FILE): it is no key */
export function parseKeyFile(bytes: Uint8Array, shown: string): KeyFile {
  const parsed = keySchema.safeParse(jsonOf(Buffer.from(bytes).toString('utf8')));
  if (!parsed.success) throw badKey(shown, 'it is not the file of a key');
  if (keyIdOf(parsed.data.public) !== parsed.data.id) throw badKey(shown, 'its id is not that of its public key');
  return parsed.data;
}

/**
 * @param passphrase not used where the key is not encrypted
 * @throws LaminaError refused (BAD_PASSPHRASE); failed (BAD_KEY_FILE): the private key is not that of the public one
 */
export async function unlockKey(file: KeyFile, shown: string, passphrase: string): Promise<SigningKey> {
  const stored = Buffer.from(file.private, 'base64');
  const plain = file.encryption === null ? stored : await decrypted(file, file.encryption, stored, passphrase, shown);
  let key: SigningKey;
  try {
    key = signingKey(file.role, createPrivateKey({ key: plain, format: 'der', type: 'pkcs8' }));
  } catch (error) {
    throw badKey(shown, 'it holds no private key', error);
  }
  if (key.id !== file.id) throw badKey(shown, 'its private key is not that of its public key');
  return key;
}

async function decrypted(
  file: KeyFile,
  encryption: NonNullable<KeyFile['encryption']>,
  stored: Buffer,
  passphrase: string,
  shown: string,
): Promise<Buffer> {
  const key = await derive(passphrase, Buffer.from(encryption.salt, 'base64'), encryption);
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, Buffer.from(encryption.iv, 'base64'), { authTagLength: 16 });
    decipher.setAAD(associated(file));
    decipher.setAuthTag(Buffer.from(encryption.tag, 'base64'));
    return Buffer.concat([decipher.update(stored), decipher.final()]);
  } catch (error) {
    throw refused(`wrong passphrase for the key ${shown}, or the file was changed`, {
      code: 'BAD_PASSPHRASE',
      hint: 'type it again, or give the right file with --passphrase-file',
      cause: error,
    });
  }
}

function badKey(shown: string, why: string, cause?: unknown) {
  return failed(`the key ${shown} cannot be used: ${why}`, {
    code: 'BAD_KEY_FILE',
    hint: 'restore it from a backup, or replace the key (lamina channel rotate-key)',
    cause,
  });
}
