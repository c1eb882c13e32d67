import { createHash, createPrivateKey, generateKeyPairSync, sign } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ChannelWorld } from './channels.js';

export type RoleName = 'root' | 'targets' | 'snapshot' | 'timestamp' | 'rollout';

/** The signed part of metadata, as it is in JSON. */
export interface Signed {
  version: number;
  expires: string;
  [field: string]: unknown;
}

export interface Meta {
  version: number;
  length?: number;
  hashes?: Record<string, string>;
}

interface Key {
  readonly id: string;
  readonly privateKey: KeyObject;
}

/** Canonical JSON, of what tests sign. */
export function canonical(value: unknown): string {
  if (typeof value === 'string') return `"${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const fields = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${fields.map(([name, each]) => `${canonical(name)}:${canonical(each)}`).join(',')}}`;
}

export const sha256Of = (bytes: Buffer | string) => createHash('sha256').update(bytes).digest('hex');

/** A key in metadata, and its id. */
export function publicForm(hex: string, more: object = {}) {
  const key = { keytype: 'ed25519', scheme: 'ed25519', keyval: { public: hex }, ...more };
  return { id: sha256Of(canonical(key)), key };
}

/** Whoever has all keys of a channel: signs anything, without any of the code under test. */
export class TufRepository {
  readonly #keys = new Map<string, Key[]>();

  constructor(readonly world: ChannelWorld) {
    for (const name of readdirSync(world.keys)) {
      const file = JSON.parse(readFileSync(join(world.keys, name), 'utf8')) as { id: string; private: string };
      const der = Buffer.from(file.private, 'base64');
      const privateKey = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
      const role = name.split('-')[0] ?? '';
      this.#keys.set(role, [...this.keysOf(role), { id: file.id, privateKey }]);
    }
  }

  keysOf(role: string): readonly Key[] {
    return this.#keys.get(role) ?? [];
  }

  /** A new key of a role, as metadata names it; `as`: under which id it signs. */
  newKey(role: string, as?: (hex: string) => { id: string; key: object }) {
    const { privateKey, publicKey } = generateKeyPairSync('ed25519');
    const hex = publicKey.export({ type: 'spki', format: 'der' }).subarray(12).toString('hex');
    const named = (as ?? publicForm)(hex);
    this.#keys.set(role, [...this.keysOf(role), { id: named.id, privateKey }]);
    return { ...named, hex, privateKey };
  }

  /** Lets the key of another id sign for a role, too. */
  addKey(role: string, id: string, privateKey: KeyObject): void {
    this.#keys.set(role, [...this.keysOf(role), { id, privateKey }]);
  }

  path(role: RoleName, version: number): string {
    return role === 'timestamp' ? 'metadata/timestamp.json' : `metadata/${version}.${role}.json`;
  }

  /** The newest that is served. */
  signed(role: RoleName): Signed {
    const versions = readdirSync(join(this.world.public, 'metadata')).flatMap((name) =>
      name.endsWith(`.${role}.json`) ? [Number.parseInt(name, 10)] : [],
    );
    const path = join(this.world.public, this.path(role, Math.max(...versions)));
    return (JSON.parse(readFileSync(path, 'utf8')) as { signed: Signed }).signed;
  }

  /** @param by whose keys sign; by default the role's */
  envelope(signed: object, by: string) {
    const text = Buffer.from(canonical(signed));
    const signatures = this.keysOf(by).map(({ id, privateKey }) => ({
      keyid: id,
      sig: sign(null, text, privateKey).toString('hex'),
    }));
    return { signatures, signed };
  }

  /** Serves metadata as a role, under the name of its version, or of `under`. */
  put(role: RoleName, signed: Signed, more: { by?: string; under?: number } = {}): Meta {
    const { by = role, under = signed.version } = more;
    return this.putBytes(role, under, Buffer.from(JSON.stringify(this.envelope(signed, by))));
  }

  putBytes(role: RoleName, version: number, bytes: Buffer): Meta {
    writeFileSync(join(this.world.public, this.path(role, version)), bytes);
    return { version, length: bytes.length, hashes: { sha256: sha256Of(bytes) } };
  }

  /** Changes what a role signs, and all that refers to it: their versions grow by one. */
  change(role: RoleName, edit: (signed: Signed) => void, more: { by?: string } = {}): void {
    const signed = this.signed(role);
    signed.version += 1;
    edit(signed);
    this.refer(role, this.put(role, signed, more));
  }

  /** Has the roles above one refer to what it signs now. */
  refer(role: RoleName, meta: Meta): void {
    if (role === 'targets' || role === 'rollout')
      this.change('snapshot', ({ meta: all }) => Object.assign(all as object, { [`${role}.json`]: meta }));
    if (role === 'snapshot')
      this.change('timestamp', ({ meta: all }) => Object.assign(all as object, { 'snapshot.json': meta }));
    // A publisher signs the timestamp again with every root.
    if (role === 'root') this.change('timestamp', () => undefined);
  }
}
