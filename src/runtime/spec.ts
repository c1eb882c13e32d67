import type { Capability, SandboxUser } from '../sandbox/index.js';

/** What a runtime is asked to run in a container's root. */
export interface RuntimeProcess {
  readonly command: readonly string[];
  readonly user: SandboxUser;
  readonly environment: Readonly<Record<string, string>>;
  readonly workingDirectory: string;
  readonly hostName: string;
  /** Whether it gets a terminal of its own. */
  readonly terminal: boolean;
  /** Whether it shares the host's network; else it has none but its own loopback. */
  readonly network: boolean;
  /** Files of the host that are shown at the same place, read-only. */
  readonly hostFiles: readonly string[];
  readonly readOnly: boolean;
  /** Set-user-ID programs and capabilities of files count. */
  readonly mayGainPrivileges: boolean;
  readonly capabilities: readonly Capability[];
}

/** Root's in a container, as podman gives them. */
export const runtimeCapabilities: readonly Capability[] = [
  ...(['CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'FSETID', 'KILL', 'NET_BIND_SERVICE'] as const),
  ...(['SETFCAP', 'SETGID', 'SETPCAP', 'SETUID', 'SYS_CHROOT'] as const),
];

/** The place of the root in a bundle. */
export const rootName = 'rootfs';

interface SpecMount {
  readonly destination: string;
  readonly type: string;
  readonly source: string;
  readonly options?: readonly string[];
}

/** What reveals the host, or gives access to it. */
const maskedPaths = [
  ...['/proc/acpi', '/proc/asound', '/proc/kcore', '/proc/keys', '/proc/latency_stats', '/proc/sched_debug'],
  ...['/proc/scsi', '/proc/timer_list', '/proc/timer_stats', '/sys/dev/block', '/sys/firmware', '/sys/fs/selinux'],
  '/sys/devices/virtual/powercap',
];
const readonlyPaths = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'];

/** config.json of a bundle: runtime-spec 1.0.2, config.md and config-linux.md. */
export function runtimeSpec(process: RuntimeProcess): object {
  return {
    ociVersion: '1.0.2',
    process: processOf(process),
    root: { path: rootName, readonly: process.readOnly },
    hostname: process.hostName,
    mounts: mountsOf(process),
    linux: {
      namespaces: ['pid', 'ipc', 'uts', 'mount', ...(process.network ? [] : ['network'])].map((type) => ({ type })),
      // Runtimes allow those of every container, such as /dev/null, and no others.
      resources: { devices: [{ allow: false, access: 'rwm' }] },
      maskedPaths,
      readonlyPaths,
    },
  };
}

function processOf({ command, user, environment, workingDirectory, terminal, ...rest }: RuntimeProcess): object {
  const capabilities = rest.capabilities.map((name) => `CAP_${name}`);
  // Another user than root gets those that it may gain, and no more: as execve(2) would leave it.
  const held = user.uid === 0 ? capabilities : [];
  const variables = {
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    ...(terminal ? { TERM: 'xterm' } : {}),
    HOSTNAME: rest.hostName,
    HOME: user.home,
    ...environment,
  };
  return {
    terminal,
    user: { uid: user.uid, gid: user.gid, additionalGids: user.groups },
    args: command,
    env: Object.entries(variables).map(([name, value]) => `${name}=${value}`),
    cwd: workingDirectory,
    capabilities: { bounding: capabilities, effective: held, permitted: held, inheritable: [], ambient: [] },
    noNewPrivileges: !rest.mayGainPrivileges,
  };
}

function mountsOf({ hostFiles }: RuntimeProcess): SpecMount[] {
  const fixed = ['nosuid', 'noexec', 'nodev'];
  return [
    { destination: '/proc', type: 'proc', source: 'proc', options: fixed },
    {
      destination: '/dev',
      type: 'tmpfs',
      source: 'tmpfs',
      options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'],
    },
    {
      destination: '/dev/pts',
      type: 'devpts',
      source: 'devpts',
      options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'],
    },
    { destination: '/dev/shm', type: 'tmpfs', source: 'shm', options: [...fixed, 'mode=1777', 'size=65536k'] },
    { destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue', options: fixed },
    { destination: '/sys', type: 'sysfs', source: 'sysfs', options: [...fixed, 'ro'] },
    ...hostFiles.map(ofHost),
  ];
}

const ofHost = (path: string): SpecMount => ({
  destination: path,
  type: 'bind',
  source: path,
  options: ['rbind', 'ro', 'nosuid', 'nodev', 'noexec'],
});
