import { MetaFile, Root, Snapshot, TargetFile, Targets, Timestamp } from '@tufjs/models';
import type { Key } from '@tufjs/models';
import type { Role as TufRole } from '@tufjs/models/dist/role.js';
import type { BytePath } from '../../base/bytes.js';
import { encodeContent } from '../content.js';
import type { ChannelContent, RolloutContent } from '../content.js';
import type { KeyRing } from '../keys/key-ring.js';
import { channelTarget, metadataPath, rolloutTarget, targetPath } from '../names.js';
import type { Role } from '../names.js';
import { sha256Of } from '../trust/trusted-files.js';
import { signedAtField } from '../trust/workflow.js';
import { lockChannel } from './channel-lock.js';
import { commitFiles, finishCommit } from './commit.js';
import type { NewFile } from './commit.js';
import { Places } from './places.js';
import { readSettings } from './settings.js';
import type { ChannelSettings } from './settings.js';
import { signWith } from './signer.js';
import type { SignedFile } from './signer.js';
import { readSigned } from './signed-state.js';
import type { SignedState } from './signed-state.js';

/** What a change replaces; the roles that it does not name stay as they are. The timestamp is always signed again. */
export interface Change {
  /** With the version that it gets. Signed by the keys of the old root and by its own. */
  readonly root?: Root;
  /** The list of updates, and the targets that the packages are. */
  readonly channel?: { readonly content: ChannelContent; readonly targets: Readonly<Record<string, TargetFile>> };
  /** Delegates to these keys from now on. */
  readonly delegations?: Targets['delegations'];
  readonly percentages?: RolloutContent;
  /** Signed again, with a fresh expiry, although nothing in them changes. */
  readonly renewed?: readonly Role[];
}

/** The directory in which a channel is published. One command at a time changes it. */
export class ChannelDirectory {
  private constructor(
    readonly places: Places,
    readonly settings: ChannelSettings,
    readonly state: SignedState,
    private readonly ring: KeyRing,
    private readonly now: Date,
  ) {}

  /**
   * @throws LaminaError notFound: there is no channel; refused: another command holds it; as `readSigned`; as `work`
   */
  static async change<T>(
    directory: BytePath,
    openRing: (places: Places) => Promise<KeyRing>,
    work: (channel: ChannelDirectory) => Promise<T>,
    now = new Date(),
  ): Promise<T> {
    const places = new Places(directory);
    const settings = await readSettings(places);
    const lock = await lockChannel(places);
    try {
      await finishCommit(places);
      const ring = await openRing(places);
      return await work(new ChannelDirectory(places, settings, await readSigned(places), ring, now));
    } finally {
      lock.release();
    }
  }

  /** Signs a change and puts it in force; nothing changes where a key is missing. @throws LaminaError as `signWith` */
  async commit(change: Change): Promise<SignedState> {
    const root = change.root ?? this.state.root.signed;
    const renewed = new Set(change.renewed ?? []);
    const files: NewFile[] = [];
    const add = (path: string, bytes: Buffer) => files.push({ path, bytes });

    if (change.root !== undefined) {
      const keys = [this.state.root.signed, change.root].map((each) => keysOf(each, 'root'));
      const signed = await signWith(change.root, 'root', keys, this.ring);
      add(metadataPath('root', change.root.version), signed.bytes);
    }
    const targets = await this.#targets(change, root, renewed.has('targets'), add);
    const rollout = await this.#rollout(change, targets, renewed.has('rollout'), add);
    const isSnapshotNew = targets !== undefined || rollout !== undefined || renewed.has('snapshot');
    const snapshot = isSnapshotNew ? await this.#snapshot(root, targets, rollout) : undefined;
    if (snapshot !== undefined) add(metadataPath('snapshot', snapshot.metadata.signed.version), snapshot.bytes);
    const timestamp = await this.#timestamp(root, snapshot);
    add(metadataPath('timestamp', 0), timestamp.bytes);
    await commitFiles(this.places, files);
    return readSigned(this.places);
  }

  /**
   * The root of the next version. @param change the keys of a role from then on, with their public parts; keys that no
   * role names any more are left out
   */
  nextRoot(change: {
    readonly role?: { readonly name: Role; readonly keys: TufRole };
    readonly keys?: readonly Key[];
  }): Root {
    const old = this.state.root.signed;
    const roles = { ...old.roles, ...(change.role === undefined ? {} : { [change.role.name]: change.role.keys }) };
    const named = new Set(Object.values(roles).flatMap(({ keyIDs }) => keyIDs));
    const all = [...Object.values(old.keys), ...(change.keys ?? [])].filter(({ keyID }) => named.has(keyID));
    return new Root({
      ...this.#options('root', old.version + 1),
      keys: Object.fromEntries(all.map((key) => [key.keyID, key])),
      roles,
      consistentSnapshot: true,
    });
  }

  /** What is in force now, after a change that may have been interrupted. */
  async current(): Promise<SignedState> {
    await finishCommit(this.places);
    return readSigned(this.places);
  }

  /** Whether the metadata in force, or about to be so after a crash, names keys. */
  async isInForce(ids: readonly string[]): Promise<boolean> {
    const { root, targets } = await this.current();
    const named = { ...root.signed.keys, ...targets.signed.delegations?.keys };
    return ids.every((id) => Object.hasOwn(named, id));
  }

  /** The options of metadata that is signed now. */
  #options(role: Role, version: number) {
    return { version, expires: expiryOf(this.settings, role, this.now), specVersion };
  }

  async #targets(
    { channel, delegations }: Change,
    root: Root,
    isRenewed: boolean,
    add: (path: string, bytes: Buffer) => void,
  ): Promise<SignedFile<Targets> | undefined> {
    if (channel === undefined && delegations === undefined && !isRenewed) return undefined;
    const old = this.state.targets.signed;
    const content = encodeContent(channel?.content ?? this.state.channel);
    const signed = new Targets({
      ...this.#options('targets', old.version + 1),
      targets: { ...old.targets, ...channel?.targets, [channelTarget]: targetFile(channelTarget, content) },
      delegations: (delegations ?? old.delegations) as NonNullable<Targets['delegations']>,
    });
    add(targetPath(channelTarget, sha256Of(content)), content);
    const file = await signWith(signed, 'targets', [keysOf(root, 'targets')], this.ring);
    add(metadataPath('targets', signed.version), file.bytes);
    return file;
  }

  async #rollout(
    { percentages, delegations }: Change,
    targets: SignedFile<Targets> | undefined,
    isRenewed: boolean,
    add: (path: string, bytes: Buffer) => void,
  ): Promise<SignedFile<Targets> | undefined> {
    if (percentages === undefined && delegations === undefined && !isRenewed) return undefined;
    const content = encodeContent(percentages ?? this.state.percentages);
    const signed = new Targets({
      ...this.#options('rollout', this.state.rollout.signed.version + 1),
      targets: { [rolloutTarget]: targetFile(rolloutTarget, content) },
    });
    add(targetPath(rolloutTarget, sha256Of(content)), content);
    const delegating = (targets?.metadata ?? this.state.targets).signed;
    const file = await signWith(signed, 'rollout', [delegatedKeys(delegating)], this.ring);
    add(metadataPath('rollout', signed.version), file.bytes);
    return file;
  }

  async #snapshot(
    root: Root,
    targets: SignedFile<Targets> | undefined,
    rollout: SignedFile<Targets> | undefined,
  ): Promise<SignedFile<Snapshot>> {
    const old = this.state.snapshot.signed;
    const signed = new Snapshot({
      ...this.#options('snapshot', old.version + 1),
      meta: {
        ...old.meta,
        ...(targets === undefined ? {} : { 'targets.json': metaFile(targets) }),
        ...(rollout === undefined ? {} : { 'rollout.json': metaFile(rollout) }),
      },
    });
    return signWith(signed, 'snapshot', [keysOf(root, 'snapshot')], this.ring);
  }

  async #timestamp(root: Root, snapshot: SignedFile<Snapshot> | undefined): Promise<SignedFile<Timestamp>> {
    const old = this.state.timestamp.signed;
    const signed = new Timestamp({
      ...this.#options('timestamp', old.version + 1),
      snapshotMeta: snapshot === undefined ? old.snapshotMeta : metaFile(snapshot),
      unrecognizedFields: { [signedAtField]: secondsOf(this.now) },
    });
    return signWith(signed, 'timestamp', [keysOf(root, 'timestamp')], this.ring);
  }
}

/** The version of the specification that the metadata follows. */
export const specVersion = '1.0.31';

export function keysOf(root: Root, role: Exclude<Role, 'rollout'>) {
  const keys = root.roles[role];
  if (keys === undefined) throw new TypeError(`a root names the keys of the role ${role}`);
  return keys;
}

export function delegatedKeys(targets: Targets) {
  const keys = targets.delegations?.roles?.['rollout'];
  if (keys === undefined) throw new TypeError('the role targets names the keys of the role rollout');
  return keys;
}

/** When what is signed now expires, in the form that TUF has for times. */
export function expiryOf({ validDays }: ChannelSettings, role: Role, now: Date): string {
  return secondsOf(new Date(now.getTime() + validDays[role] * 24 * 3_600_000));
}

/** ISO 8601 without fractions of a second (the specification of TUF, 4.2.1). */
export const secondsOf = (time: Date): string => `${time.toISOString().slice(0, 19)}Z`;

export function targetFile(path: string, bytes: Buffer): TargetFile {
  return new TargetFile({ path, length: bytes.length, hashes: { sha256: sha256Of(bytes) } });
}

export function metaFile({ metadata, bytes, sha256 }: SignedFile<Targets | Snapshot>): MetaFile {
  return new MetaFile({ version: metadata.signed.version, length: bytes.length, hashes: { sha256 } });
}
