import type { Metadata, Root, TargetFile, Targets } from '@tufjs/models';
import { EqualVersionError, ExpiredMetadataError } from 'tuf-js/dist/error.js';
import { TrustedMetadataStore } from 'tuf-js/dist/store.js';
import { channelLimits } from '../limits.js';
import { channelTarget, metadataPath, rolloutTarget, targetPath } from '../names.js';
import { clockToleranceMs, distrust, faultOf } from './faults.js';
import type { Clocks } from './faults.js';
import './many-targets.js';
import { checkKeys, checkSound } from './sound.js';
import { sha256Of } from './trusted-files.js';
import type { TrustedFiles } from './trusted-files.js';

/** Reads a file of the channel; undefined: it does not exist. */
export type Fetch = (path: string, maxBytes: number) => Promise<Buffer | undefined>;

/** A signed time in the timestamp: no machine's clock can be before it. Beside the fields of the specification. */
export const signedAtField = 'x-lamina-signed-at';

/**
 * The client workflow of The Update Framework (section 5 of its specification, version 1.0.31), step by step on the
 * checks of tuf-js. Each file is kept as soon as it was checked, and read from there the next time.
 */
export class Workflow {
  readonly #store: TrustedMetadataStore;

  /** @param root the newest root that is trusted */
  constructor(
    readonly files: TrustedFiles,
    readonly url: string,
    root: Buffer,
    readonly fetch: Fetch,
    readonly clocks: Clocks,
  ) {
    try {
      if (root.length > channelLimits.roles.value) throw new Error('it is too long');
      this.#store = new TrustedMetadataStore(root);
      this.#checkRoot();
    } catch (error) {
      throw faultOf(error, 'root', url, undefined, clocks);
    }
    // One time for all checks of a refresh, as the specification has it (5.1).
    (this.#store as unknown as { referenceTime: Date }).referenceTime = clocks.now;
  }

  get root(): Metadata<Root> {
    return this.#store.root;
  }

  #checkRoot(): void {
    checkSound(this.root.signed);
    checkKeys(this.root.signed.keys);
  }

  /** Section 5.3: each newer root, in order, signed by the keys of the one before it. Returns how many there were. */
  async updateRoots(): Promise<number> {
    for (let count = 0; ; count++) {
      const bytes = await this.fetch(metadataPath('root', this.root.signed.version + 1), channelLimits.roles.value);
      if (bytes === undefined) return count;
      if (count >= mostRotations)
        throw distrust(
          'CHANNEL_DAMAGED',
          `${this.url} has more than ${mostRotations} new roots`,
          'begin with a newer root: lamina follow --root FILE; who follows already goes on from there at the next poll',
        );
      const before = this.root.signed;
      this.#check('root', undefined, () => {
        this.#store.updateRoot(bytes);
        this.#checkRoot();
      });
      // What a stolen key signed, with the highest of all versions, must not outlive the key (5.3.11).
      if (isReplaced(before, this.root.signed, 'timestamp') || isReplaced(before, this.root.signed, 'snapshot'))
        for (const name of ['timestamp.json', 'snapshot.json'] as const) await this.files.remove(name);
      await this.files.write('root.json', bytes);
    }
  }

  /**
   * Section 5.4. The new one must not be older than that of the last time.
   * @returns the one in force: another one of the same version is discarded
   */
  async updateTimestamp(offered: Buffer): Promise<Buffer> {
    const kept = await this.files.read('timestamp.json');
    if (this.root.signed.isExpired(this.clocks.now))
      this.#check('root', this.root.signed.expires, () => this.#store.updateTimestamp(offered));
    if (kept !== undefined) {
      // It may have expired, and then still guards against older ones; signed by keys that were replaced it is void.
      passes(() => this.#store.updateTimestamp(kept));
    }
    let inForce = offered;
    const expires = () => this.#store.timestamp?.signed.expires;
    this.#check('timestamp', expires, () => {
      if (!this.#isNewTimestamp(offered)) inForce = kept ?? offered;
      checkSound(this.#timestamp);
    });
    this.#checkClock();
    if (kept?.equals(inForce) !== true) await this.files.write('timestamp.json', inForce);
    return inForce;
  }

  /** Takes it, unless it has the version of the one that was taken before. That one may have expired meanwhile. */
  #isNewTimestamp(offered: Buffer): boolean {
    try {
      this.#store.updateTimestamp(offered);
      return true;
    } catch (error) {
      if (!(error instanceof EqualVersionError)) throw error;
      if (this.#timestamp.isExpired(this.clocks.now)) throw new ExpiredMetadataError('timestamp.json is expired');
      return false;
    }
  }

  /** Section 5.5. @returns its version */
  async updateSnapshot(): Promise<number> {
    const meta = this.#timestamp.snapshotMeta;
    const kept = await this.files.read('snapshot.json');
    const isKept = kept !== undefined && passes(() => this.#store.updateSnapshot(kept, true));
    if (!isKept) {
      const bytes = await this.#need(metadataPath('snapshot', meta.version), meta.length, channelLimits.roles.value);
      const expires = () => this.#store.snapshot?.signed.expires ?? this.#timestamp.expires;
      this.#check('snapshot', expires, () => {
        checkSound(this.#store.updateSnapshot(bytes).signed);
      });
      await this.files.write('snapshot.json', bytes);
    }
    return meta.version;
  }

  /** Section 5.6, of the role `targets` and of the one it delegates to. */
  async updateTargets(role: 'targets' | 'rollout'): Promise<Targets> {
    const isTop = role === 'targets';
    if (!isTop) this.#checkDelegation();
    const most = isTop ? channelLimits.metadata.value : channelLimits.roles.value;
    const kept = await this.files.read(`${role}.json`);
    const load = (bytes: Buffer) => {
      this.#store.updateDelegatedTargets(bytes, role, isTop ? 'root' : 'targets');
      const { signed } = this.#role(role);
      checkSound(signed);
      checkKeys(signed.delegations?.keys ?? {});
    };
    if (kept === undefined || !passes(() => load(kept))) {
      const meta = this.#store.snapshot?.signed.meta[`${role}.json`];
      if (meta === undefined)
        throw distrust('CHANNEL_DAMAGED', `the snapshot of ${this.url} does not list ${role}.json`);
      const bytes = await this.#need(metadataPath(role, meta.version), meta.length, most);
      this.#check(role, expiryOf(bytes), () => load(bytes));
      await this.files.write(`${role}.json`, bytes);
    }
    return this.#role(role).signed;
  }

  /**
   * The search of section 5.6.7, which ends at once: the targets have no `rollout.json` of their own, and delegate it.
   */
  #checkDelegation(): void {
    const { targets, delegations } = this.#role('targets').signed;
    const isOwn = Object.hasOwn(targets, rolloutTarget);
    if (!isOwn && delegations?.roles?.['rollout']?.isDelegatedPath(rolloutTarget) === true) return;
    throw distrust(
      'CHANNEL_DAMAGED',
      `the role 'targets' of ${this.url} ${isOwn ? 'signs' : 'does not delegate'} ${rolloutTarget}, which is for 'rollout'`,
    );
  }

  /** Section 5.7, of a small target that is kept in memory. */
  async target(role: 'targets' | 'rollout'): Promise<Buffer> {
    const name = role === 'targets' ? channelTarget : rolloutTarget;
    const target = this.#role(role).signed.targets[name];
    const sha256 = target?.hashes['sha256'];
    if (target === undefined || sha256 === undefined)
      throw distrust('CHANNEL_DAMAGED', `the role '${role}' of ${this.url} has no target ${name}`);
    const kept = await this.files.read(`target-${name}`);
    if (kept !== undefined && isTarget(kept, target)) return kept;
    const bytes = await this.#need(targetPath(name, sha256), target.length, channelLimits.content.value);
    if (!isTarget(bytes, target))
      throw distrust('CHANNEL_MISMATCH', `${name} of ${this.url} is not the file that is signed`);
    await this.files.write(`target-${name}`, bytes);
    return bytes;
  }

  get #timestamp() {
    const { timestamp } = this.#store;
    if (timestamp === undefined) throw new TypeError('the timestamp comes before all that it is about');
    return timestamp.signed;
  }

  get expires(): string {
    return this.#timestamp.expires;
  }

  #role(role: 'targets' | 'rollout'): Metadata<Targets> {
    const metadata = this.#store.getRole(role);
    if (metadata === undefined) throw new TypeError(`the role ${role} was not read`);
    return metadata;
  }

  /** @param length as it is signed: whoever signs must not fill the memory either */
  async #need(path: string, length: number | undefined, most: number): Promise<Buffer> {
    const bytes = await this.fetch(path, Math.min(length ?? most, most));
    if (bytes !== undefined) return bytes;
    throw distrust(
      'CHANNEL_INCOMPLETE',
      `${this.url} has no ${path}, which its own metadata names`,
      'the mirror is not complete, or is being filled at this moment: try again later',
    );
  }

  /** The signed time is at most the true one: a clock before it is wrong, and would take old metadata for valid. */
  #checkClock(): void {
    const signedAt = this.#timestamp.unrecognizedFields[signedAtField];
    if (typeof signedAt !== 'string' || !(Date.parse(signedAt) > this.clocks.now.getTime() + clockToleranceMs)) return;
    throw distrust(
      'CHANNEL_CLOCK',
      `this machine's clock says ${this.clocks.now.toISOString()}, but ${this.url} was signed at ${signedAt}`,
      'set the clock of this machine: a clock that is behind lets a server show old states',
    );
  }

  #check(role: string, expires: string | (() => string | undefined) | undefined, check: () => unknown): void {
    try {
      check();
    } catch (error) {
      const when = typeof expires === 'function' ? expires() : expires;
      throw faultOf(error, role, this.url, when, this.clocks);
    }
  }
}

function isReplaced(before: Root, now: Root, role: 'timestamp' | 'snapshot'): boolean {
  const ids = (root: Root) => [...(root.roles[role]?.keyIDs ?? [])].sort().join(' ');
  return ids(before) !== ids(now);
}

/** As the specification proposes (5.3.3): an attacker with old root keys could else send roots without end. */
const mostRotations = 1024;

/**
 * Whether a file that was kept still passes all checks. Where it does not (it is older than what is offered, or the
 * keys that signed it were replaced), a new one is read, and what is wrong with that is an error.
 */
function passes(load: () => unknown): boolean {
  try {
    load();
    return true;
  } catch {
    return false;
  }
}

function isTarget(bytes: Buffer, { length, hashes }: TargetFile): boolean {
  return bytes.length === length && sha256Of(bytes) === hashes['sha256'];
}

/** The expiry in metadata that could not be loaded because of it: for the message. */
function expiryOf(bytes: Buffer): string | undefined {
  const found = /"expires"\s*:\s*"([0-9TZ:.+-]{1,40})"/.exec(bytes.toString('latin1'));
  return found?.[1];
}
