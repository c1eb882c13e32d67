import { existsSync, mkdirSync, readFileSync, readdirSync } from 'node:fs';
import { display, fromText, join, toBuffer, toText } from '../../base/bytes.js';
import type { BytePath } from '../../base/bytes.js';
import { notFound, usage } from '../../base/errors.js';
import { newId } from '../../base/ids.js';
import type { OnStep } from '../../base/steps.js';
import { ChannelClient, carrierOf, promoteUpdate, withdrawUpdate } from '../../channel/index.js';
import type { AskPassphrase, Carrier, ChannelState } from '../../channel/index.js';
import {
  decide,
  enroll,
  expel,
  fleetPlaces,
  hostAndPort,
  parseRule,
  parseSteps,
  readMachines,
  readReportOf,
  readReports,
  receive,
  rememberRollout,
  rememberedOf,
  reportPath,
  summariesOf,
} from '../../fleet/index.js';
import type {
  Decision,
  Enrolment,
  ReadReports,
  ReceiveData,
  ReceiveRequest,
  Report,
  UpdateSummary,
} from '../../fleet/index.js';
import { absolutePath, temporaryDirectory } from '../../platform/command-line.js';
import { removeTree } from '../../platform/walk.js';

export type { Enrolment, ReceiveData };

/** Where the reports of a fleet, and the channel to judge them by, come from. */
export interface FleetRequest {
  /** The directory of the channel, or its address. */
  readonly channel: string;
  /** The root metadata; needed where the channel is not a directory. */
  readonly root?: Uint8Array | undefined;
  /** Where reports are; by default in the channel's directory, or at its address. */
  readonly reports?: string | undefined;
  /** The directory that has the list of enrolled machines; by default the channel's. */
  readonly machines?: BytePath | undefined;
  /** Enroll each machine that reports for the first time. */
  readonly trustNew: boolean;
  readonly plainHttp: boolean;
  readonly signal: AbortSignal;
  /** Called as reports are read. */
  readonly onStep?: OnStep | undefined;
}

export interface FleetData {
  readonly channel: string;
  readonly base: string | null;
  readonly version: number;
  readonly expires: string;
  readonly machines: {
    readonly enrolled: number;
    readonly reporting: number;
    /** Enrolled machines without a report, the first ones. */
    readonly silent: readonly string[];
    /** Machines that report and are not enrolled, the first ones, and how many. */
    readonly strangers: {
      readonly count: number;
      readonly first: readonly { machine: string; key: string; host: string }[];
    };
    readonly refused: ReadReports['refused'];
  };
  /** The newest first. */
  readonly updates: readonly UpdateSummary[];
}

const shownMachines = 20;

/** The rollout of the updates of a channel. @param updates how many of the newest ones */
export async function channelStatus(request: FleetRequest, updates: number): Promise<FleetData> {
  const state = await stateOf(request);
  const { found, enrolled } = await reportsOf(request);
  const { reports, strangers, refused, silent } = found;
  const newest = { ...state, updates: state.updates.slice(-updates) };
  const first = strangers.slice(0, shownMachines).map(({ machine, key, host }) => ({ machine, key, host }));
  return {
    channel: request.channel,
    base: state.base,
    version: state.version,
    expires: state.expires,
    machines: {
      enrolled,
      reporting: reports.length,
      silent: silent.slice(0, shownMachines),
      strangers: { count: strangers.length, first },
      refused,
    },
    updates: summariesOf(newest, reports),
  };
}

export interface RolloutData {
  readonly update: string;
  readonly action: Decision['action'];
  /** The percentage after it. */
  readonly percent: number;
  readonly because: string;
  /** True: this is what would be done. */
  readonly dryRun: boolean;
  readonly summary: UpdateSummary;
}

export interface RolloutRequest extends FleetRequest {
  readonly update: string;
  readonly when: string;
  /** Percentages, separated by commas. */
  readonly steps: string;
  /** With a withdrawal: newer updates are rolled back too. */
  readonly withNewer: boolean;
  readonly dryRun: boolean;
  readonly keyDirectories: readonly BytePath[];
  readonly passphrase: AskPassphrase;
}

/**
 * Offers an update to more machines, or withdraws it, by what the machines report of it. It signs with the key of the
 * role `rollout` and no other that could publish.
 * @throws LaminaError usage: the rule; notFound: no such update; as `promoteUpdate`
 */
export async function promoteWhen(request: RolloutRequest): Promise<RolloutData> {
  const { update: name, when, dryRun, withNewer, passphrase, keyDirectories } = request;
  const [rule, steps] = [parseRule(when), parseSteps(request.steps)];
  const directory = directoryOf(request.channel);
  const state = await stateOf(request);
  const update = state.updates.find((each) => each.name === name);
  if (update === undefined)
    throw notFound(`the channel has no update '${name}'`, { code: 'NO_UPDATE', hint: 'see lamina channel status' });
  const { found } = await reportsOf(request);
  const { rollouts } = fleetPlaces(directory);
  const asked = { update, rule, ruleText: when, steps, now: new Date() };
  const { action, percent, because, summary, remember } = decide(asked, found.reports, rememberedOf(rollouts, name));
  if (!dryRun && action !== 'ended') {
    const signing = { directory, keyDirectories, passphrase, update: name };
    if (action === 'raise') await promoteUpdate({ ...signing, percent, from: update.percent });
    if (action === 'withdraw') await withdrawUpdate({ ...signing, withNewer });
    await rememberRollout(rollouts, name, action === 'withdraw' ? undefined : remember);
  }
  return { update: name, action, percent, because, dryRun, summary };
}

/**
 * @param keysOf gives the keys, once the channel is there
 * @throws LaminaError usage: a text is no key of a machine; notFound: there is no channel
 */
export async function channelEnroll(channel: string, keysOf: () => Promise<readonly string[]>): Promise<Enrolment> {
  const { machines } = fleetPlaces(directoryOf(channel));
  return enroll(machines, await keysOf(), 'operator');
}

/**
 * Also removes what they have reported to the channel's directory: a machine that is enrolled again begins anew.
 * @throws LaminaError notFound: one of them is not enrolled
 */
export async function channelExpel(
  channel: string,
  machines: readonly string[],
): Promise<{ expelled: readonly string[] }> {
  const directory = directoryOf(channel);
  const expelled = [...new Set(machines)];
  await expel(fleetPlaces(directory).machines, expelled);
  const carrier = carrierOf(toText(directory));
  for (const machine of expelled) await carrier.remove?.(reportPath(machine));
  return { expelled };
}

/**
 * Receives reports by HTTP, and announces changes of the channel, until the signal.
 * @param listen `[HOST:]PORT`
 */
export async function channelReceive(
  channel: string,
  listen: string,
  options: Pick<ReceiveRequest, 'trustNew' | 'signal' | 'onListen'>,
): Promise<ReceiveData> {
  const directory = directoryOf(channel);
  return receive({
    ...options,
    ...hostAndPort(listen),
    carrier: carrierOf(toText(directory)),
    metadata: join(directory, fromText('public/metadata')),
    machines: fleetPlaces(directory).machines,
  });
}

/** The directory of a channel that is published from here. @throws LaminaError notFound */
export function directoryOf(channel: string): BytePath {
  const directory = absolutePath(channel);
  if (existsSync(toBuffer(join(directory, fromText('public/metadata'))))) return directory;
  throw notFound(`${display(directory)} has no channel`, {
    code: 'NO_CHANNEL',
    hint: 'give the directory that lamina channel init made',
  });
}

const isAddress = (channel: string) => /^[a-z][a-z0-9+.-]*:\/\//i.test(channel);

/** The current state of a channel, checked from its root metadata on. */
async function stateOf({ channel, root, plainHttp, signal }: FleetRequest): Promise<ChannelState> {
  const isDirectory = !isAddress(channel);
  const url = isDirectory ? toText(join(directoryOf(channel), fromText('public'))) : channel;
  const trusted = root ?? (isDirectory ? firstRoot(url) : undefined);
  if (trusted === undefined)
    throw usage(`the root metadata of ${channel} is not given`, {
      code: 'ROOT_NEEDED',
      hint: 'give it with --root FILE, or the directory of the channel in place of its address',
    });
  const scratch = join(temporaryDirectory(), `lamina-channel-${newId('c')}`);
  mkdirSync(toBuffer(scratch), { mode: 0o700 });
  try {
    const client = await ChannelClient.open({ directory: toText(scratch), url, root: trusted, plainHttp });
    return (await client.refresh(signal)).state;
  } finally {
    removeTree(scratch);
  }
}

/** The oldest that is there: from it on all others are checked. */
function firstRoot(url: string): Uint8Array | undefined {
  const metadata = join(fromText(url), fromText('metadata'));
  const versions = readdirSync(toBuffer(metadata)).flatMap((name) => /^(\d+)\.root\.json$/.exec(name)?.[1] ?? []);
  const first = Math.min(...versions.map(Number));
  return Number.isFinite(first) ? readFileSync(toBuffer(join(metadata, fromText(`${first}.root.json`)))) : undefined;
}

/** The reports of the machines of a fleet, and how many machines are enrolled. */
export async function reportsOf(request: FleetRequest): Promise<{ found: ReadReports; enrolled: number }> {
  const { signal, trustNew, onStep } = request;
  const { list, machines } = enrolledOf(request);
  const carrier = reportCarrier(request);
  const found = await readReports(carrier, machines, { signal, onStep });
  if (!trustNew || found.strangers.length === 0) return { found, enrolled: Object.keys(machines).length };
  if (list === undefined)
    throw usage('--trust-new needs a list of machines to add to', {
      hint: 'give --machines DIR, the directory of the channel',
    });
  const { machines: file } = fleetPlaces(list);
  await enroll(
    file,
    found.strangers.map(({ key }) => key),
    'first-use',
  );
  const reports = [...found.reports, ...found.strangers];
  return { found: { ...found, reports, strangers: [] }, enrolled: Object.keys(readMachines(file)).length };
}

/** All that one machine reports. Undefined: nothing. @throws LaminaError notFound: it is not enrolled */
export async function reportOf(request: FleetRequest, machine: string): Promise<Report | undefined> {
  const { machines } = enrolledOf(request);
  if (Object.hasOwn(machines, machine)) return readReportOf(reportCarrier(request), machines, machine, request.signal);
  throw notFound(`no machine '${display(machine)}' is enrolled`, {
    code: 'NO_MACHINE',
    hint: 'see lamina channel machines CHANNEL',
  });
}

/** The enrolled machines, and the directory that lists them; undefined: none is known. */
function enrolledOf({ channel, machines: given }: FleetRequest) {
  const list = given ?? (isAddress(channel) ? undefined : directoryOf(channel));
  return { list, machines: list === undefined ? {} : readMachines(fleetPlaces(list).machines) };
}

function reportCarrier({ channel, reports, plainHttp }: FleetRequest): Carrier {
  return carrierOf(reports ?? (isAddress(channel) ? channel : toText(directoryOf(channel))), { plainHttp });
}
