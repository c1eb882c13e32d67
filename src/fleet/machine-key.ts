import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, sign, verify } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { usage } from '../base/errors.js';

const keyBytes = 32;
const keyPattern = /^ed25519:([A-Za-z0-9+/]{43}=)$/;

/** The id of a machine: it comes from its public key, so that nobody can report under the id of another machine. */
export const machineIdPattern = /^m-[0-9a-f]{32}$/;

/** What a machine is known by. */
export interface MachineIdentity {
  readonly id: string;
  /** Its public key: `ed25519:` and 32 bytes in base64. */
  readonly key: string;
}

/** A machine that can sign. */
export interface Machine extends MachineIdentity {
  readonly privateKey: KeyObject;
}

/** A new private key, as PEM. */
export function newPrivateKey(): string {
  const { privateKey } = generateKeyPairSync('ed25519');
  return privateKey.export({ format: 'pem', type: 'pkcs8' }).toString();
}

/** @param pem as `newPrivateKey` gives it. @throws Error: it is not an Ed25519 key */
export function machineOf(pem: string): Machine {
  const privateKey = createPrivateKey(pem);
  if (privateKey.asymmetricKeyType !== 'ed25519') throw new Error('it is not an Ed25519 key');
  const der = createPublicKey(privateKey).export({ format: 'der', type: 'spki' });
  const raw = der.subarray(der.length - keyBytes);
  return { id: idOf(raw), key: `ed25519:${raw.toString('base64')}`, privateKey };
}

const idOf = (raw: Uint8Array) => `m-${createHash('sha256').update(raw).digest('hex').slice(0, 32)}`;

/** The machine that a public key belongs to. @throws LaminaError usage: the text is no such key */
export function identityOf(key: string): MachineIdentity {
  const raw = rawOf(key);
  if (raw !== undefined) return { id: idOf(raw), key };
  throw usage(`'${key.slice(0, 80)}' is not the public key of a machine`, {
    code: 'BAD_MACHINE_KEY',
    hint: 'give the line "ed25519:…" that lamina follow prints on that machine',
  });
}

function rawOf(key: string): Buffer | undefined {
  const text = keyPattern.exec(key)?.[1];
  const raw = text === undefined ? undefined : Buffer.from(text, 'base64');
  // The last character has bits to spare: two texts could be one key.
  return raw?.length === keyBytes && raw.toString('base64') === text ? raw : undefined;
}

/** @returns in base64 */
export function signBy(machine: Machine, bytes: Uint8Array): string {
  return sign(null, bytes, machine.privateKey).toString('base64');
}

/** Whether a signature is of these bytes by this public key. */
export function isSignedBy(key: string, bytes: Uint8Array, signature: string): boolean {
  const raw = rawOf(key);
  if (raw === undefined) return false;
  // As a JSON Web Key (RFC 8037): that is read in an eighth of the time of DER, and a fleet has many keys.
  const publicKey = createPublicKey({
    key: { kty: 'OKP', crv: 'Ed25519', x: raw.toString('base64url') },
    format: 'jwk',
  });
  return verify(null, bytes, publicKey, Buffer.from(signature, 'base64'));
}
