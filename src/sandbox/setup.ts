import { components, display, fromText, isBelow, join, toText } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { failed } from '../base/errors.js';
import { isRoot } from '../platform/privileges.js';
import { capabilities, commonCapabilities, numberOf } from './capabilities.js';
import type { Capability } from './capabilities.js';
import { limitRecords, processLimits } from './limits.js';
import type { Limits } from './limits.js';
import { filled, hostResolver } from './root/additions.js';
import { inMountOrder } from './root/mount-points.js';
import type { SandboxPlan } from './root/plan.js';
import type { SandboxUser } from './user.js';

/** The privileges of the command, relative to the defaults. */
export interface Privileges {
  /** By default root. */
  readonly user?: SandboxUser | undefined;
  readonly add?: readonly Capability[] | undefined;
  readonly drop?: readonly Capability[] | undefined;
  /** Set-user-ID programs and capabilities of files count. */
  readonly mayGain?: boolean | undefined;
}

/**
 * Whose user IDs a sandbox made by root has: those of a user namespace (`own`), of one where the machine can give it
 * one (`auto`), or the host's.
 */
export type SandboxUsers = 'auto' | 'own' | 'host';

/** The full specification of a sandbox. */
export interface SandboxSetup {
  /** The root it sees, into which everything that the plan lists as missing was written. */
  readonly root: BytePath;
  readonly plan: SandboxPlan;
  readonly hostName: string;
  readonly network: boolean;
  /** A file of the root over which the host's names of the network are shown. */
  readonly resolver: BytePath | undefined;
  /** Host paths shown below /run/lamina, read-only: name there → path. */
  readonly shown: ReadonlyMap<string, BytePath>;
  /** Names and values as text. */
  readonly environment: Readonly<Record<string, string>>;
  /** Where the command begins, in the root; undefined: at the root. */
  readonly workingDirectory: string | undefined;
  readonly limits: Limits;
  readonly privileges: Privileges;
  readonly users: SandboxUsers;
  /** Whether there is input, and whether it and the output are a terminal. */
  readonly input: 'none' | 'given' | 'terminal';
}

type Records = (readonly string[])[];

/** Where `shown` paths appear. */
export const shownIn = (plan: SandboxPlan): BytePath => join(plan.mountPoints.paths.run, 'lamina');

/** The records that lamina-sandbox reads (native/sandbox/spec.h). */
export function setupRecords(setup: SandboxSetup): Buffer {
  const { bounds, sizes } = limitRecords(setup.limits);
  const records: Records = [
    ['root', setup.root],
    ...inMountOrder(setup.plan.mountPoints).map(({ name, path }) => ['place', name, path, sizeOf(name, sizes)]),
    ['shm', sizes.shm],
    ...[...setup.shown].map(([name, path]) => ['show', path, join(shownIn(setup.plan), fromText(name))]),
    ...coverRecords(setup),
    ...directoryRecords(setup),
    ['host-name', fromText(setup.hostName)],
    ...(setup.workingDirectory === undefined ? [] : [['working-directory', fromText(setup.workingDirectory)]]),
    ...Object.entries(setup.environment).map(([name, value]) => ['set', fromText(`${name}=${value}`)]),
    ...privilegeRecords(setup.privileges),
    ...processLimits.map(([number, soft, hard]) => ['limit', `${number}`, soft, hard]),
    ...bounds,
    ...(setup.users === 'host' ? [] : [['own-users', setup.users === 'own' ? 'always' : '-']]),
    ...(setup.network ? [['host-network']] : []),
    ...(setup.input === 'none' ? [] : [['input']]),
    ...(setup.input === 'terminal' ? [['terminal']] : []),
  ];
  return Buffer.from(records.flat().map(ended).join(''), 'latin1');
}

/** A NUL ends a field: one inside would begin a forged record. */
function ended(field: string): string {
  if (field.includes('\0'))
    throw failed(`the sandbox cannot be made: ${display(field)} has a NUL in it`, {
      code: 'NO_SANDBOX',
      hint: 'give names, values and paths without a NUL',
    });
  return `${field}\0`;
}

function sizeOf(name: string, sizes: { readonly run: string; readonly tmp: string }): string {
  return name === 'run' ? sizes.run : name === 'tmp' ? sizes.tmp : '';
}

/** A copy of the host's file, so that nothing of the host is within reach. */
function coverRecords({ resolver }: SandboxSetup): Records {
  const content = resolver === undefined ? undefined : hostResolver();
  return resolver === undefined || content === undefined ? [] : [['cover', resolver, textOf(content)]];
}

const textOf = (content: Buffer): string => content.toString('latin1').replaceAll('\0', '');

function privilegeRecords({ user, add = [], drop = [], mayGain = false }: Privileges): Records {
  const granted = grantedBy(add, drop);
  const kept = user === undefined || user.uid === 0 ? [] : granted.filter((each) => add.includes(each));
  return [
    ...granted.map((each) => ['capability', `${numberOf(each)}`]),
    ...kept.map((each) => ['keep-capability', `${numberOf(each)}`]),
    ...(user === undefined ? [] : [['user', `${user.uid}`, `${user.gid}`]]),
    ...(user?.groups ?? []).map((group) => ['group', `${group}`]),
    ...(mayGain ? [['gains-privileges']] : []),
  ];
}

/** Dropping all and adding some leaves those; adding all and dropping some leaves the rest. */
function grantedBy(add: readonly Capability[], drop: readonly Capability[]): readonly Capability[] {
  if (capabilities.every((each) => drop.includes(each))) return [...new Set(add)];
  return [...new Set([...commonCapabilities, ...add])].filter((each) => !drop.includes(each));
}

function directoryRecords({ plan, hostName, shown }: SandboxSetup): Records {
  const records: Records = [];
  const directory = (path: BytePath, mode: number, uid: number, gid: number) => {
    // Without root there is one user only.
    const owner = isRoot() ? [`${uid}`, `${gid}`] : ['0', '0'];
    records.push(['directory', `/${path}`, mode.toString(8), ...owner]);
  };
  // What is shown there must stay within reach, whatever the root requests.
  const isOwn = (path: BytePath) => shown.size > 0 && (path === shownIn(plan) || isBelow(path, shownIn(plan)));
  for (const { path, mode, uid, gid } of plan.directories) if (!isOwn(path)) directory(path, mode, uid, gid);
  const made = new Set<string>(plan.directories.map(({ path }) => path));
  for (const file of plan.network.filter(({ inMount }) => inMount)) {
    for (const { path, content } of filled(file, hostName)) {
      for (const parent of parentsInMount(path, plan).filter((each) => !made.has(each))) {
        directory(parent, 0o755, 0, 0);
        made.add(parent);
      }
      records.push(['file', `/${path}`, textOf(content)]);
    }
  }
  return records;
}

function parentsInMount(path: BytePath, { mountPoints }: SandboxPlan): BytePath[] {
  const names = components(path);
  const parents = names.slice(0, -1).map((_, i) => join(...names.slice(0, i + 1)));
  const roots = Object.values(mountPoints.paths).filter((place) => path.startsWith(`${place}/`));
  const depth = Math.max(...roots.map((place) => components(place).length));
  return parents.slice(depth);
}

/** `shownIn` as a path for the command. */
export const shownDirectory = (plan: SandboxPlan): string => `/${toText(shownIn(plan))}`;
