import { display } from '../../base/bytes.js';
import { damaged, messageOf, refused } from '../../base/errors.js';
import { absolutePath } from '../../platform/command-line.js';
import { readSmall } from '../carrier/bounded.js';
import type { Small } from '../carrier/bounded.js';
import type { Carrier, CarrierOptions } from '../carrier/carrier.js';
import { carrierOf } from '../carrier/carrier-of.js';
import { parseChannel, parseRollout, updatesOf } from '../content.js';
import type { ChannelContent } from '../content.js';
import { channelLimits } from '../limits.js';
import { metadataPath, rolloutTarget } from '../names.js';
import type { ChannelState, ChannelUpdate } from '../types.js';
import { downloadTo } from './download.js';
import type { DownloadOptions } from './download.js';
import { distrust } from './faults.js';
import { TrustedFiles, sha256Of } from './trusted-files.js';
import type { Seen } from './trusted-files.js';
import { Workflow } from './workflow.js';

export interface ClientOptions extends CarrierOptions {
  /** For the metadata that was checked: private to the follower, one channel a directory. Made where it is missing. */
  readonly directory: string;
  readonly url: string;
  /** The root metadata that the follower was given: needed the first time, and not used later. */
  readonly root?: Uint8Array | undefined;
  /** This machine's clock, for tests. */
  readonly now?: () => Date;
}

export interface Refreshed {
  /** Whether the state is another one than that of the last refresh that ended well in this directory. */
  readonly changed: boolean;
  readonly state: ChannelState;
  /** What was received, without headers. */
  readonly bytes: number;
}

/** Follows a channel. It trusts nothing but the root metadata that it was opened with the first time. */
export class ChannelClient {
  private constructor(
    readonly carrier: Carrier,
    private readonly files: TrustedFiles,
    private readonly now: () => Date,
  ) {}

  /**
   * Nothing is connected yet.
   * @throws LaminaError usage: a bad address; refused: no root is given nor kept (CHANNEL_NO_ROOT), or it is not valid
   */
  static async open(options: ClientOptions): Promise<ChannelClient> {
    const carrier = carrierOf(options.url, options);
    const now = options.now ?? (() => new Date());
    const files = new TrustedFiles(absolutePath(options.directory));
    const client = new ChannelClient(carrier, files, now);
    if ((await files.read('root.json')) !== undefined) return client;
    if (options.root === undefined)
      throw refused(`no root metadata of ${carrier.url} is kept in ${display(files.directory)}`, {
        code: 'CHANNEL_NO_ROOT',
        hint: 'follow the channel with the root metadata that its publisher gave you: --root FILE',
      });
    const root = Buffer.from(options.root);
    const none = { now: now(), server: undefined };
    new Workflow(files, carrier.url, root, () => Promise.resolve(undefined), none);
    await files.write('root.json', root);
    return client;
  }

  /**
   * Reads and checks what the channel says now. A channel that has not changed costs one conditional request. Nothing
   * that is trusted is lost when this fails: the next refresh continues from there.
   * @throws LaminaError failed: as `Carrier.read`; CHANNEL_CONTENT; refused: as `TrustFault`
   */
  async refresh(signal?: AbortSignal): Promise<Refreshed> {
    const count = { bytes: 0 };
    const seen = await this.files.seen();
    const kept = await this.files.read('timestamp.json');
    const isSame = seen?.url === this.carrier.url && kept !== undefined && seen.timestamp === sha256Of(kept);
    const answer = await this.#timestamp(isSame ? seen.etag : undefined, count, signal);
    let offered = answer.status === 'found' ? answer.bytes : kept;
    if (offered === undefined) throw notThere(this.carrier.url);

    const clocks = { now: this.now(), server: answer.status === 'found' ? answer.date : undefined };
    const workflow = await this.#workflow(clocks, count, signal);
    let etag = answer.status === 'found' ? answer.etag : seen?.etag;
    // A publisher signs the timestamp again with every root, so an unchanged one means that there is no new root.
    const mayHaveRoots = kept?.equals(offered) !== true || workflow.root.signed.isExpired(clocks.now);
    if (mayHaveRoots && (await workflow.updateRoots()) > 0) {
      const again = await this.#timestamp(undefined, count, signal);
      if (again.status !== 'found') throw notThere(this.carrier.url);
      ({ bytes: offered, etag } = again);
    }
    const inForce = await workflow.updateTimestamp(offered);
    if (!inForce.equals(offered)) etag = undefined;
    const version = await workflow.updateSnapshot();
    const state = { ...(await stateOf(workflow, this.carrier.url)), version };
    await this.#remember(seen, { url: this.carrier.url, timestamp: sha256Of(inForce), version, etag });
    return { changed: seen?.version !== version, state, bytes: count.bytes };
  }

  /**
   * Downloads an update's package into a directory, unless it is there; one that broke off is resumed. The file has the
   * digest that was signed.
   * @returns its path
   * @throws LaminaError failed: as `Carrier.read`, NO_SPACE; refused: CHANNEL_MISMATCH, CHANNEL_INCOMPLETE
   */
  async download(update: ChannelUpdate, into: string, options: DownloadOptions = {}): Promise<string> {
    return downloadTo(this.carrier, update.package, absolutePath(into), options);
  }

  async #timestamp(
    etag: string | undefined,
    count: { bytes: number },
    signal: AbortSignal | undefined,
  ): Promise<Small> {
    const maxBytes = channelLimits.timestamp.value;
    const answer = await readSmall(this.carrier, metadataPath('timestamp', 0), { maxBytes, etag, signal });
    if (answer.status === 'absent') throw notThere(this.carrier.url);
    if (answer.status === 'found') count.bytes += answer.bytes.length;
    return answer;
  }

  async #workflow(
    clocks: { now: Date; server: Date | undefined },
    count: { bytes: number },
    signal: AbortSignal | undefined,
  ): Promise<Workflow> {
    const root = await this.files.read('root.json');
    if (root === undefined) throw new TypeError('a client is opened with a root');
    const fetch = async (path: string, maxBytes: number) => {
      const read = await readSmall(this.carrier, path, { maxBytes, signal });
      if (read.status !== 'found') return undefined;
      count.bytes += read.bytes.length;
      return read.bytes;
    };
    try {
      return new Workflow(this.files, this.carrier.url, root, fetch, clocks);
    } catch (error) {
      // It was checked before it was kept, so no server is to blame.
      throw damaged(`the root metadata in ${display(this.files.directory)} is not valid: ${messageOf(error)}`, {
        code: 'TRUST_DAMAGED',
        hint: 'restore it from a backup, or run lamina unfollow BASE and follow the channel again with --root FILE',
        cause: error,
      });
    }
  }

  async #remember(before: Seen | undefined, now: Seen): Promise<void> {
    const isSame = before?.url === now.url && before.timestamp === now.timestamp && before.etag === now.etag;
    if (!isSame || before.version !== now.version) await this.files.setSeen(now);
  }
}

/** What the two roles say, and that each said only what it may. */
async function stateOf(workflow: Workflow, url: string): Promise<Omit<ChannelState, 'version'>> {
  const { targets } = await workflow.updateTargets('targets');
  const rollout = await workflow.updateTargets('rollout');
  const stranger = Object.keys(rollout.targets).find((name) => name !== rolloutTarget);
  if (stranger !== undefined || rollout.delegations !== undefined)
    throw distrust(
      'CHANNEL_UNTRUSTED',
      `the rollout key of ${url} signed ${stranger ?? 'a delegation'}, but may sign ${rolloutTarget} only`,
      'the key may be stolen: report it to the publisher, who replaces it (lamina channel rotate-key DIR rollout)',
    );
  const channel = parseChannel(await workflow.target('targets'));
  checkPackages(channel, targets, url);
  const updates = updatesOf(channel, parseRollout(await workflow.target('rollout')));
  return { base: channel.base, expires: workflow.expires, updates };
}

interface SignedTarget {
  readonly length: number;
  readonly hashes: Readonly<Record<string, string>>;
}

/** The list and the targets are signed by the same keys, and must not contradict each other. */
function checkPackages(
  { updates }: ChannelContent,
  targets: Readonly<Record<string, SignedTarget>>,
  url: string,
): void {
  for (const { name, package: file } of updates) {
    const target = Object.hasOwn(targets, file.path) ? targets[file.path] : undefined;
    if (target?.length !== file.bytes || target.hashes['sha256'] !== file.sha256)
      throw distrust('CHANNEL_DAMAGED', `the package of update ${name} of ${url} is not a target of the channel`);
  }
}

function notThere(url: string) {
  return distrust(
    'CHANNEL_INCOMPLETE',
    `there is no channel at ${url}: it has no ${metadataPath('timestamp', 0)}`,
    'check the address',
  );
}
