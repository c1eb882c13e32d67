import { accessSync, constants, mkdirSync, mkdtempSync, rmdirSync } from 'node:fs';
import { release } from 'node:os';
import { fromText, join, toBuffer, toText } from '../base/bytes.js';
import { isSystemError, messageOf, toLaminaError } from '../base/errors.js';
import {
  kernelHasPassthrough,
  mountStack,
  passthroughSince,
  ringSetting,
  ringState,
  unmountStack,
} from '../mount/index.js';
import { temporaryDirectory } from '../platform/command-line.js';
import { isMachineRoot, isRoot } from '../platform/privileges.js';
import { hasProgram } from '../platform/programs.js';
import { ownMaps } from '../platform/subordinate-ids.js';
import { probeSandbox, systemCallFilter } from '../sandbox/index.js';
import type { SandboxProbe } from '../sandbox/index.js';
import { having, lacking } from './host-feature.js';
import type { HostFeature } from './host-feature.js';
import { kernelFeatures } from './host-kernel.js';

export interface HostData {
  /** The release as in uname(2). */
  readonly kernel: string;
  readonly root: boolean;
  readonly features: readonly HostFeature[];
}

/** What this machine offers. Probes where possible: makes and removes a mount, and tries what a sandbox needs. */
export async function host(): Promise<HostData> {
  const root = isMachineRoot();
  const device = fuseDevice();
  const tried = device.available ? await tryMount(root) : [];
  return {
    kernel: release(),
    root,
    features: [
      device,
      ...tried,
      passthrough(root),
      ...(await tryKernel()),
      ioUring(),
      systemCalls(),
      ...subordinateIds(),
      ...programs.map(program),
    ],
  };
}

function fuseDevice(): HostFeature {
  try {
    accessSync('/dev/fuse', constants.R_OK | constants.W_OK);
    return having('fuse', 'file systems in user space');
  } catch (error) {
    const hint = isSystemError(error, 'EACCES')
      ? 'let users open it, as Debian does: as root, chmod 0666 /dev/fuse'
      : 'load the kernel module (modprobe fuse), or give this container the device /dev/fuse';
    return lacking('fuse', `/dev/fuse: ${messageOf(error)}`, hint);
  }
}

/** A mount of an empty layer, and what a sandbox can have in it. */
async function tryMount(root: boolean): Promise<HostFeature[]> {
  const scratch = fromText(mkdtempSync(toText(join(temporaryDirectory(), 'lamina-host-'))));
  const tree = join(scratch, 'tree');
  const mountpoint = join(scratch, 'mount');
  for (const directory of [tree, mountpoint]) mkdirSync(toBuffer(directory));
  try {
    await mountStack({
      lowers: [{ tree, index: undefined }],
      mountpoint,
      source: 'lamina:host',
      fuse: { mapsOwners: root },
    });
    try {
      const probe = root ? await probeSandbox(mountpoint) : undefined;
      return [having('mounting', 'containers and updates can be mounted'), ...sandboxFeatures(probe)];
    } finally {
      await unmountStack(mountpoint, undefined);
    }
  } catch (error) {
    const { message, hint } = toLaminaError(error);
    return [lacking('mounting', message, hint ?? 'without root, install fuse3')];
  } finally {
    for (const directory of [tree, mountpoint, scratch]) rmdirSync(toBuffer(directory));
  }
}

async function tryKernel(): Promise<HostFeature[]> {
  const parent = temporaryDirectory();
  const scratch = fromText(mkdtempSync(toText(join(parent, 'lamina-host-'))));
  try {
    return await kernelFeatures(scratch, parent);
  } finally {
    rmdirSync(toBuffer(scratch));
  }
}

/** @param probe undefined without root: then a sandbox has a user namespace in any case, and mostly no control group */
function sandboxFeatures(probe: SandboxProbe | undefined): HostFeature[] {
  if (probe === undefined) return [];
  const feature = (name: string, reason: string | undefined, detail: string, hint: string) =>
    reason === undefined ? having(name, detail) : lacking(name, reason, hint);
  const group = 'mount control groups (version 1 or 2) with this controller below /sys/fs/cgroup';
  return [
    feature(
      'user-namespace',
      probe.users,
      'root in lamina run has no rights on the host',
      'use Linux 6.12 or later, and allow user namespaces: sysctl user.max_user_namespaces; until then run only containers that you trust',
    ),
    feature('bound-processes', probe.processes, 'lamina run --pids', group),
    feature('bound-memory', probe.memory, 'lamina run --memory', group),
    feature('bound-processors', probe.processors, 'lamina run --cpus', group),
  ];
}

function passthrough(root: boolean): HostFeature {
  const name = 'passthrough';
  if (!root)
    return lacking(name, 'the kernel offers it to root only', 'mount as root: lamina mount --mode passthrough');
  return kernelHasPassthrough()
    ? having(name, 'lamina mount --mode passthrough: files are read and written at the speed of the layers')
    : lacking(name, 'this kernel does not have it', `use Linux ${passthroughSince.join('.')} or later`);
}

function ioUring(): HostFeature {
  const name = 'io-uring';
  const hint = `use Linux 6.14 or later, and: echo Y >${ringSetting}`;
  const state = ringState();
  if (state === 'on')
    return having(name, 'the runs of an update take about a seventh less time; laminafs -o io_uring=on');
  return lacking(name, state === 'off' ? `it is off in ${ringSetting}` : 'this kernel does not have it', hint);
}

/** Programs of the host, and what they are for. */
const programs = [
  ['xz', 'reads archives that end in .xz', 'xz-utils'],
  ['zstd', 'reads archives that end in .zst', 'zstd'],
] as const;

function program([name, purpose, debianPackage]: (typeof programs)[number]): HostFeature {
  return hasProgram(name)
    ? having(name, purpose)
    : lacking(name, 'it is not in PATH', `install it (Debian: ${debianPackage})`);
}

/** Of a user who is not root. */
function subordinateIds(): HostFeature[] {
  if (isRoot()) return [];
  const name = 'subordinate-ids';
  if (ownMaps() === undefined)
    return [
      lacking(
        name,
        '/etc/subuid and /etc/subgid give you none',
        'as root: usermod --add-subuids … --add-subgids … you',
      ),
    ];
  if (!hasProgram('newuidmap')) return [lacking(name, 'newuidmap is not in PATH', 'install it (Debian: uidmap)')];
  return [having(name, 'lamina init --subordinate-ids: containers have all their users')];
}

function systemCalls(): HostFeature {
  const name = 'system-call-filter';
  try {
    systemCallFilter({ tracing: false, added: [] });
    return having(name, `for ${process.arch}`);
  } catch (error) {
    const { message, hint } = toLaminaError(error);
    return lacking(name, message, hint ?? '');
  }
}
