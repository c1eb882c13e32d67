import type { BytePath } from '../base/bytes.js';
import type { Held } from '../platform/held.js';
import type { MountEntry } from '../platform/mountinfo.js';
import type { MountableNode } from '../store/index.js';
import type { HostView } from './host-view.js';

/** What mounts a stack: `fuse` is laminafs, `kernel` is overlayfs (docs/engines.md). */
export const engineNames = ['fuse', 'kernel'] as const;
export type EngineName = (typeof engineNames)[number];

/** How files are opened in a mount of the driver (docs/driver.md). */
export type MountMode = 'stateless' | 'passthrough' | 'servicing';

/** The writable tree of a mount and its work directory. */
export interface Upper {
  readonly tree: BytePath;
  readonly work: BytePath;
}

export interface MountRequest {
  /** By default `fuse`. */
  readonly engine?: EngineName | undefined;
  /** Newest first. */
  readonly lowers: readonly Pick<MountableNode, 'tree' | 'index'>[];
  /** Without it the mount is read-only. */
  readonly upper?: Upper | undefined;
  readonly mountpoint: BytePath;
  /** The held mount point, where others may replace it. */
  readonly held?: Held | undefined;
  /** What the mount table shows as its source. */
  readonly source: string;
  /** What has an effect on the host; by default all, for mounts that only their owner reaches. */
  readonly hostView?: HostView | undefined;
  /** Whether what is written need not survive a crash: then nothing is synced. */
  readonly isVolatile?: boolean | undefined;
  /** For the driver only. */
  readonly fuse?: FuseOptions | undefined;
  /** For overlayfs only. */
  readonly kernel?: KernelOptions | undefined;
}

export interface FuseOptions {
  /** By default `stateless`. */
  readonly mode?: MountMode | undefined;
  readonly control?: BytePath | undefined;
  /** Whether it is kept when the systemd unit in which it is made ends. */
  readonly outlivesUnit?: boolean | undefined;
  readonly filter?: { readonly rules?: BytePath; readonly journal?: BytePath; readonly reads?: BytePath } | undefined;
  /** Whether mounts of it can show other owners, as the sandbox of `run` needs. */
  readonly mapsOwners?: boolean | undefined;
}

export interface KernelOptions {
  /**
   * index=on: the names of a lower's file stay one file when it is copied up. Only for a fresh upper that is never
   * mounted again: it refers to the very lowers that it was made on.
   */
  readonly keepsLinks?: boolean | undefined;
}

/** One way of mounting: how a mount of it is made, and how it is known that nobody writes into its upper any more. */
export interface Engine {
  readonly name: EngineName;
  /** @throws LaminaError failed, refused: then nothing is mounted */
  mount(request: MountRequest): Promise<void>;
  /**
   * Waits, after an unmount here, until nobody writes into the upper any more.
   * @throws LaminaError refused: another mount namespace still has the mount
   */
  ended(mountpoint: BytePath, upper: Upper): Promise<void>;
  /**
   * Unmounts a mount that only this process used. A copy of it in another mount namespace cannot write any more then.
   * It is no error if another process has just unmounted it.
   * @throws LaminaError refused: it is in use
   */
  unmountOwn(mountpoint: BytePath, upper: Upper): Promise<void>;
  /**
   * Unmounts a mount that exists only in another mount namespace, there.
   * @param what as "container 'web'"
   * @throws LaminaError refused: it is in use there, or cannot be reached; the mount stays
   */
  unmountElsewhere(mountpoint: BytePath, upper: Upper, what: string): Promise<void>;
}

/** The engine of a mount in the mount table. */
export function engineOf({ type }: Pick<MountEntry, 'type'>): EngineName {
  return type === 'overlay' ? 'kernel' : 'fuse';
}
