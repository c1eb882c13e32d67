import { display, toText } from '../../base/bytes.js';
import type { BytePath } from '../../base/bytes.js';
import { StepCount } from '../../base/steps.js';
import type { OnBytes, OnStep } from '../../base/steps.js';
import { warn } from '../../base/this-command.js';
import {
  buildPackage,
  carrierOf,
  makeChannel,
  promoteUpdate,
  pruneChannel,
  publishUpdate,
  pushChannel,
  refreshChannel,
  rotateKey,
  withdrawUpdate,
} from '../../channel/index.js';
import type {
  AskPassphrase,
  BuildOptions,
  BuiltPackage,
  ChannelUpdate,
  Expiries,
  KeyCount,
  MadeChannel,
  Pruned,
  Pushed,
  Role,
  Rotated,
} from '../../channel/index.js';

import { fleetPlaces, pruneReports, readMachines } from '../../fleet/index.js';
import { directoryOf } from './fleet.js';

export type { AskPassphrase, ChannelUpdate, KeyCount, Pushed, Role, Rotated };

export interface PackageData extends Omit<BuiltPackage, 'base' | 'from'> {
  readonly base: string | null;
  readonly from: string | null;
}

/** The package in `source` as one file. @throws LaminaError as `buildPackage` */
export async function packageBuild(
  source: BytePath,
  file: BytePath | undefined,
  options: BuildOptions,
): Promise<PackageData> {
  const built = await buildPackage(source, file, options);
  return { ...built, base: built.base ?? null, from: built.from ?? null };
}

export interface ChannelInitData extends MadeChannel {
  readonly directory: string;
}

export interface ChannelInitRequest {
  readonly keys: Partial<Record<Role, KeyCount>>;
  readonly validDays: Partial<Record<Role, number>>;
  readonly passphrase: string | undefined;
  readonly encryptAll: boolean;
}

/** A new, empty channel. @throws LaminaError as `makeChannel` */
export async function channelInit(directory: BytePath, request: ChannelInitRequest): Promise<ChannelInitData> {
  return { directory: display(directory), ...(await makeChannel({ directory, ...request })) };
}

/** For signing: the channel's directory, further directories with keys, and the prompt for passphrases. */
export interface Signing {
  readonly directory: BytePath;
  readonly keyDirectories: readonly BytePath[];
  readonly passphrase: AskPassphrase;
}

export interface ChannelPublishRequest {
  readonly package: BytePath;
  readonly base: string;
  readonly name: string | undefined;
  readonly group: string | undefined;
  readonly percent: number | undefined;
  readonly onBytes?: OnBytes;
}

/** @throws LaminaError as `publishUpdate` */
export async function channelPublish(signing: Signing, request: ChannelPublishRequest): Promise<ChannelUpdate> {
  return publishUpdate({ ...signing, ...request });
}

/** @throws LaminaError as `promoteUpdate` */
export async function channelPromote(
  signing: Signing,
  update: string,
  percent: number | undefined,
): Promise<ChannelUpdate> {
  return promoteUpdate({ ...signing, update, percent });
}

/** @throws LaminaError as `withdrawUpdate` */
export async function channelWithdraw(signing: Signing, update: string, withNewer: boolean): Promise<ChannelUpdate> {
  return withdrawUpdate({ ...signing, update, withNewer });
}

export interface ChannelRefreshData {
  readonly directory: string;
  readonly expires: Expiries;
}

const warnDays = 30;

/** @throws LaminaError as `refreshChannel` */
export async function channelRefresh(signing: Signing, all: boolean): Promise<ChannelRefreshData> {
  const expires = await refreshChannel({ ...signing, all });
  for (const [role, time] of Object.entries(expires)) {
    const days = Math.floor((Date.parse(time) - Date.now()) / (24 * 3_600_000));
    if (role !== 'timestamp' && days < warnDays)
      warn(`the role '${role}' expires in ${days} days: renew it with lamina channel refresh --all`);
  }
  return { directory: display(signing.directory), expires };
}

export interface ChannelRotateRequest {
  readonly role: Role;
  readonly key: string | undefined;
  readonly newPassphrase: string | undefined;
  readonly into: BytePath | undefined;
}

/** @throws LaminaError as `rotateKey` */
export async function channelRotateKey(signing: Signing, request: ChannelRotateRequest): Promise<Rotated> {
  return rotateKey({ ...signing, ...request });
}

interface PlaceOptions {
  readonly plainHttp: boolean;
  readonly signal: AbortSignal;
}

export interface ChannelPushOptions extends PlaceOptions {
  readonly replace: boolean;
  readonly onBytes?: OnBytes;
}

/** @throws LaminaError as `pushChannel`, `carrierOf` */
export async function channelPush(
  directory: BytePath,
  url: string,
  { plainHttp, ...options }: ChannelPushOptions,
): Promise<Pushed> {
  return pushChannel({ directory, to: carrierOf(url, { plainHttp }), ...options });
}

export interface ChannelPruneOptions extends PlaceOptions {
  readonly dryRun: boolean;
  /** The place has reports, and need not have the channel. */
  readonly onlyReports: boolean;
  /** Of files that are removed. */
  readonly onStep?: OnStep;
}

/** What `channel prune` removed. */
export interface ChannelPruneData extends Omit<Pruned, 'before'> {
  /** As in `Pruned`; null: only reports were to be removed. */
  readonly before: string | null;
  /** Of machines that are not enrolled: paths below the channel. */
  readonly reports: readonly string[];
}

/**
 * @param url a place to which the channel was pushed, or to which reports are sent
 * @throws LaminaError as `pruneChannel`, `pruneReports`, `carrierOf`
 */
export async function channelPrune(
  directory: BytePath,
  url: string | undefined,
  { plainHttp, dryRun, onlyReports, signal, onStep }: ChannelPruneOptions,
): Promise<ChannelPruneData> {
  const at = url === undefined ? undefined : carrierOf(url, { plainHttp });
  const carrier = at ?? carrierOf(toText(directory));
  directoryOf(toText(directory));
  const steps = new StepCount(onStep);
  const nothing = { url: carrier.url, before: null, removed: [], dryRun };
  const pruned = onlyReports ? nothing : await pruneChannel({ directory, at, dryRun, signal, steps });
  const machines = readMachines(fleetPlaces(directory).machines);
  return { ...pruned, reports: await pruneReports({ carrier, machines, dryRun, signal, steps }) };
}
