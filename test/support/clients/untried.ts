import type { Who } from './steps.js';

/** A step that some machines cannot take, with any driver. */
export interface Untried {
  readonly step: string;
  readonly who: readonly Who[];
  /** What the machine would need. */
  readonly requirement: string;
  /** What the engine then says, with fuse-overlayfs and with the kernel's overlay. */
  readonly says: RegExp;
}

/**
 * All that the tests of other people's programs leave out, and why. A step that fails with every driver and is not
 * here, or for another reason, fails its test; where the machine has what is named here, the step is tried.
 */
export const untried: readonly Untried[] = [
  {
    step: 'runc',
    who: ['root', 'user'],
    requirement: 'control groups that podman may make: its runc does not run without',
    says: /runc is not compatible with NoCgroups/,
  },
  {
    step: '--uidmap of several ranges',
    who: ['root'],
    requirement: 'a podman newer than 4.3, which shifts layers by one range only and cannot reach them then',
    says: /permission denied/i,
  },
];

/** What other drivers do differently, for reasons of their own: there ours is compared with the rest alone. */
export const otherDrivers: readonly {
  readonly step: string;
  readonly who: readonly Who[];
  readonly driver: string;
  readonly reason: string;
}[] = [
  {
    step: 'a directory that is replaced, and committed',
    who: ['root', 'user'],
    driver: 'fuse-overlayfs',
    reason: 'directories that were in the old one are in the image again',
  },
  {
    step: '--rootfs DIR:O',
    who: ['root', 'user'],
    driver: 'fuse-overlayfs',
    reason: 'programs of the root die of SIGBUS',
  },
  ...['--userns=auto', '--uidmap of root'].map((step) => ({
    step,
    who: ['root'] as const,
    driver: 'fuse-overlayfs',
    reason: 'it maps the ids of idmapped layers once more, and everything belongs to 65534',
  })),
];

/**
 * What no test here tries at all:
 * - limits of control groups and networks of containers: the machines do not let engines make any, and neither reaches
 *   the mount program;
 * - engines that systemd starts, scopes and Quadlet: the machines have no systemd;
 * - `podman machine`, remote clients and `podman checkpoint`: they do not touch the mount program;
 * - file systems that are not ext4 below a storage (XFS, btrfs, NFS): the machines make none.
 */
