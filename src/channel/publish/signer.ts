import { Key, Metadata } from '@tufjs/models';
import type { Root, Snapshot, Targets, Timestamp } from '@tufjs/models';
import { display } from '../../base/bytes.js';
import { refused } from '../../base/errors.js';
import { signatureOf } from '../keys/key-ring.js';
import type { KeyRing } from '../keys/key-ring.js';
import type { SigningKey } from '../keys/key-file.js';
import type { Role } from '../names.js';
import '../trust/many-targets.js';
import { sha256Of } from '../trust/trusted-files.js';

/** The keys that a role needs, as its delegating role says. */
export interface RoleKeys {
  readonly keyIDs: readonly string[];
  readonly threshold: number;
}

type AnySigned = Root | Targets | Snapshot | Timestamp;

/** Signed metadata as a file. */
export interface SignedFile<T extends AnySigned> {
  readonly metadata: Metadata<T>;
  readonly bytes: Buffer;
  readonly sha256: string;
}

/**
 * Signs with as many keys of the roles as must sign.
 * @throws LaminaError refused (MISSING_KEY), as `KeyRing.unlock`
 */
export async function signWith<T extends AnySigned>(
  signed: T,
  role: Role,
  needed: readonly RoleKeys[],
  ring: KeyRing,
): Promise<SignedFile<T>> {
  const metadata = new Metadata<T>(signed);
  const ids = new Set(needed.flatMap((keys) => requireKeys(keys, role, ring)));
  for (const id of ids) {
    const key = await ring.unlock(id);
    metadata.sign((bytes) => signatureOf(key, bytes));
  }
  const bytes = Buffer.from(JSON.stringify(metadata.toJSON()));
  return { metadata, bytes, sha256: sha256Of(bytes) };
}

/** The ids of as many keys as must sign. @throws LaminaError refused (MISSING_KEY): fewer are at hand */
export function requireKeys({ keyIDs, threshold }: RoleKeys, role: Role, ring: KeyRing): string[] {
  const here = ring.here(keyIDs);
  if (here.length >= threshold) return here.slice(0, threshold);
  const places = ring.directories.map(display).join(', ');
  throw refused(
    `the role '${role}' needs ${threshold} of its ${keyIDs.length} keys to sign, but only ${here.length} of them are in ${places}`,
    {
      code: 'MISSING_KEY',
      hint: 'name the directory with its keys by --keys DIR; docs/update-service.md says what to do if they are lost',
    },
  );
}

/** A public key in the form of TUF. */
export function publicKeyOf(key: SigningKey): Key {
  return new Key({ keyID: key.id, keyType: 'ed25519', scheme: 'ed25519', keyVal: { public: key.public } });
}
