import { request as httpRequest } from 'node:http';
import { toText, fromText, join } from '../base/bytes.js';
import { isSystemError, notFound, refused, usage } from '../base/errors.js';
import { ChannelClient, shownUrl } from '../channel/index.js';
import { baseOf, validateName } from '../manifest/index.js';
import { makeDirectoryDurably, removeDurably } from '../platform/durable.js';
import { holdPath } from '../platform/held.js';
import { isThereSync } from '../platform/walk.js';
import type { FollowPaths, Store } from '../store/index.js';
import { makeMachine, readMachine } from './machine.js';
import { toChannel } from './send-report.js';
import { followedBases, readFollow, writeFollow } from './settings.js';
import type { FollowSettings } from './settings.js';
import { parseWindow } from './window.js';

export interface FollowRequest extends Omit<FollowSettings, 'report' | 'after'> {
  readonly base: string;
  /** Undefined: as before, or 0. What the base has does not change with its settings. */
  readonly after: number | undefined;
  /** The root metadata that the publisher gave; undefined: the base follows the channel already. */
  readonly root: Uint8Array | undefined;
  /** Undefined: to the channel if it can be written to by everybody who follows it, which a registry can. */
  readonly report: string | null | undefined;
  readonly signal: AbortSignal;
}

export interface FollowedData extends FollowSettings {
  readonly base: string;
}

export interface FollowData {
  /** Null: it has none yet. */
  readonly machine: string | null;
  readonly key: string | null;
  readonly follows: readonly FollowedData[];
  /** Whether an agent runs, which then looks at the channel at once. */
  readonly agentRuns: boolean;
}

/**
 * Makes a base follow a channel, which is read and checked once, or changes the settings of a followed one.
 * @throws LaminaError notFound: no such base; usage: a window, an address; refused: it follows one already, and a root
 * was given; what reading the channel throws. Then nothing has changed
 */
export async function follow(store: Store, request: FollowRequest): Promise<FollowData> {
  const { base, root, signal, report, after, ...given } = request;
  baseOf(await store.read(), base);
  for (const window of given.windows) parseWindow(window);
  if (report !== undefined && report !== null && report !== toChannel)
    checkUrl('report', report, 'give http://… or https://…, channel, or none');
  if (given.events !== null) checkUrl('events', given.events, 'give http://… or https://…');
  await makeMachine(store.paths.agent);
  const paths = store.paths.agent.base(base);
  const before = readFollow(paths);
  const reports = report === undefined ? defaultReport(given.url) : report;
  const settings = { ...given, report: reports, after: after ?? before?.after ?? 0 };
  if (before === undefined) await begin(paths, request, settings);
  else {
    if (root !== undefined) throw followsAlready(base, before.url);
    await writeFollow(paths, settings);
  }
  signal.throwIfAborted();
  return followed(store, { ring: true });
}

const defaultReport = (url: string) => (/^oci:/i.test(url) ? toChannel : null);

function checkUrl(option: string, text: string, hint: string): void {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol))
    throw usage(`--${option} ${text.slice(0, 200)}: not an HTTP address`, { hint });
  // A request with a login in its address is never sent (the Fetch standard).
  if (url.username !== '' || url.password !== '')
    throw usage(`--${option} ${shownUrl(url)}: the address has a login`, {
      hint: 'leave it out: reports are signed, and events only make the agent poll; restrict access by the network',
    });
}

async function begin(paths: FollowPaths, request: FollowRequest, settings: FollowSettings): Promise<void> {
  const { root, signal, base } = request;
  const { url, plainHttp } = settings;
  validateName('base', base);
  // Left by an earlier attempt that was killed.
  if (isThereSync(paths.directory)) await removeDurably(paths.directory);
  try {
    for (const directory of [paths.directory, paths.channel, paths.downloads])
      await makeDirectoryDurably(directory, 0o700);
    const client = await ChannelClient.open({ directory: toText(paths.channel), url, root, plainHttp });
    const { state } = await client.refresh(signal);
    if (state.base !== null && state.base !== base)
      throw refused(`the channel ${url} is for base '${state.base}', not for '${base}'`, {
        code: 'OTHER_BASE',
        hint: `follow it with --base ${state.base}, after importing that base`,
      });
    await writeFollow(paths, settings);
  } catch (error) {
    await removeDurably(paths.directory);
    throw error;
  }
}

function followsAlready(base: string, url: string) {
  return refused(`base '${base}' already follows ${url}, with the root metadata that was given then`, {
    code: 'FOLLOWS_ALREADY',
    hint: `leave out --root to change settings or to use a mirror; for another channel run lamina unfollow ${base} first`,
  });
}

/** The followed channels. @param ring makes the agent poll them now */
export async function followed(store: Store, options: { readonly ring?: boolean } = {}): Promise<FollowData> {
  await store.read();
  const { agent } = store.paths;
  const machine = readMachine(agent);
  const follows = followedBases(agent).flatMap((base) => {
    const settings = readFollow(agent.base(base));
    return settings === undefined ? [] : [{ base, ...settings }];
  });
  return {
    machine: machine?.id ?? null,
    key: machine?.key ?? null,
    follows,
    agentRuns: await call(store, options.ring === true ? 'POST' : 'GET'),
  };
}

/** Makes a base stop following its channel; its updates stay. @throws LaminaError notFound */
export async function unfollow(store: Store, base: string): Promise<FollowData> {
  const paths = store.paths.agent.base(validateName('base', base));
  if (readFollow(paths) === undefined)
    throw notFound(`base '${base}' follows no channel`, {
      code: 'NO_FOLLOW',
      hint: 'lamina follow lists those that do',
    });
  await removeDurably(paths.settings);
  await removeDurably(paths.directory);
  return followed(store, { ring: true });
}

const ringMs = 2000;

/** Sends a POST to the agent of a store, which then polls its channels. @returns whether one runs */
async function call({ paths: { agent } }: Store, method: 'GET' | 'POST'): Promise<boolean> {
  if (!isThereSync(join(agent.directory, fromText(agent.socketName)))) return false;
  const held = holdPath(agent.directory);
  try {
    return await new Promise((resolve, reject) => {
      const socketPath = toText(join(held.at, fromText(agent.socketName)));
      const sent = httpRequest({ socketPath, method, path: '/', timeout: ringMs }, (response) => {
        response.resume();
        resolve(true);
      });
      sent.on('timeout', () => {
        sent.destroy();
        resolve(false);
      });
      sent.on('error', (error) => {
        // The socket of one that was killed.
        if (isSystemError(error, 'ECONNREFUSED', 'ENOENT', 'ECONNRESET', 'EPIPE')) resolve(false);
        else reject(error);
      });
      sent.end();
    });
  } finally {
    held.close();
  }
}
