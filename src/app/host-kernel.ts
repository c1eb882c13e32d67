import { display } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { mostLowers, probeKernel } from '../mount/index.js';
import type { KernelProbe } from '../mount/index.js';
import { isMachineRoot, isRoot } from '../platform/privileges.js';
import { having, lacking } from './host-feature.js';
import type { HostFeature } from './host-feature.js';

/** What the engine `kernel` (docs/engines.md) needs of the kernel and of a file system, each by itself. */
const options = [
  ['overlay-redirect-dir', 'redirect_dir', 'directories of trees below are renamed without being copied'],
  ['overlay-metacopy', 'metacopy', 'a change of mode or owner copies no content'],
  ['overlay-index', 'index', 'updates keep the names of a file together: lamina update apply --engine kernel'],
] as const;

const engine = 'kernel-engine';
const asRoot = 'work as root of the machine; containers that need it are mounted by the driver: --engine fuse';

/**
 * What the engine `kernel` finds here.
 * @param directory empty, for attempts
 * @param parent its place, for people
 */
export async function kernelFeatures(directory: BytePath, parent: BytePath): Promise<HostFeature[]> {
  if (!isRoot()) {
    const hint = 'work as root, or as root of a user namespace: lamina unshare lamina host';
    return [lacking(engine, 'only root may mount by overlayfs', hint)];
  }
  return featuresOf(await probeKernel(directory), { parent: display(parent), trusted: isMachineRoot() });
}

interface Place {
  readonly parent: string;
  /** Whether marks are those of root of the machine. */
  readonly trusted: boolean;
}

/** The features that an attempt has shown. */
export function featuresOf({ mountCalls, lowers, tried }: KernelProbe, place: Place): HostFeature[] {
  if (mountCalls !== undefined) {
    const hint = place.trusted
      ? 'load the kernel module (modprobe overlay), or use a kernel that has it (Linux 6.7 or later)'
      : 'use a kernel that lets root of a user namespace mount overlayfs (Linux 6.7 or later), or work as root';
    return [lacking(engine, `no overlayfs by the new mount calls: ${mountCalls}`, hint)];
  }
  if (!lowers || tried === undefined)
    return [lacking(engine, 'overlayfs takes no lowers one by one (lowerdir+)', 'use Linux 6.7 or later')];
  const { trusted, userxattr } = tried;
  const fault = place.trusted ? trusted?.mount : userxattr;
  const off = trusted?.off ?? [];
  // Only runs of updates need the index.
  const needed = off.filter((option) => option !== 'index');
  return [
    fault === undefined && needed.length === 0
      ? having(engine, 'lamina mount --engine kernel: at the speed of overlayfs')
      : lacking(engine, fault ?? `overlayfs switches ${needed.join(', ')} off`, elsewhere(place)),
    having('overlay-lowers', `lowerdir+: up to ${mostLowers} trees below a container`),
    ...options.map(([name, option, purpose]) => {
      if (trusted === undefined) return lacking(name, 'not available with marks in user.*', asRoot);
      if (trusted.mount !== undefined) return lacking(name, trusted.mount, elsewhere(place));
      return off.includes(option)
        ? lacking(name, `overlayfs switches ${option} off`, elsewhere(place))
        : having(name, `${option}: ${purpose}`);
    }),
    userxattr === undefined
      ? having('overlay-userxattr', 'marks in user.*: the engine kernel in a user namespace (lamina unshare)')
      : lacking('overlay-userxattr', userxattr, elsewhere(place)),
  ];
}

/** What one file system lacks, another may have. */
const elsewhere = ({ parent }: Place) =>
  `this holds for the file system of ${parent}: try that of the store (TMPDIR=DIR lamina host), and keep the store on ext4, xfs or btrfs`;
