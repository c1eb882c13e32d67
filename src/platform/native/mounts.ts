import { bytesOf, callAsync } from '../addon.js';
import type { Path } from '../addon.js';

/** Flags of mount(2), <sys/mount.h>. */
export const mountFlags = {
  readOnly: 1,
  noSuid: 2,
  noDev: 4,
  noExec: 8,
  remount: 32,
  noAtime: 1024,
  bind: 4096,
  move: 8192,
  recursive: 16384,
  private: 1 << 18,
  slave: 1 << 19,
  shared: 1 << 20,
} as const;

export interface MountRequest {
  readonly source?: Path;
  readonly target: Path;
  readonly type?: string;
  /** Bits of `mountFlags`. */
  readonly flags?: number;
  /** The file system's own options, comma separated. */
  readonly data?: Path;
}

/** mount(2) */
export async function mount(request: MountRequest): Promise<void> {
  const none = Buffer.alloc(0);
  await callAsync({
    operation: 'mount',
    subject: { syscall: 'mount', path: request.target },
    args: [
      request.source === undefined ? none : bytesOf(request.source),
      bytesOf(request.target),
      bytesOf(request.type ?? ''),
      request.data === undefined ? none : bytesOf(request.data),
      request.flags ?? 0,
    ],
  });
}

export interface UnmountOptions {
  /** MNT_DETACH: the name is free at once, the file system is released after its last use. */
  readonly lazy?: boolean;
}

/**
 * umount2(2), never through a symlink (UMOUNT_NOFOLLOW). Fails with EBUSY where it is used, EINVAL where nothing is
 * mounted.
 */
export async function unmount(target: Path, options: UnmountOptions = {}): Promise<void> {
  const flags = 8 | (options.lazy === true ? 2 : 0);
  await callAsync({
    operation: 'unmount',
    subject: { syscall: 'umount', path: target },
    args: [bytesOf(target), flags],
  });
}
