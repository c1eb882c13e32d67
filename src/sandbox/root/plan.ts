import type { BytePath } from '../../base/bytes.js';
import type { Listing } from '../../changeset/index.js';
import { follow } from './follow.js';
import { findMountPoints } from './mount-points.js';
import type { MountPoints } from './mount-points.js';
import type { RootEntry, RootReader } from './reader.js';
import { wantedDirectories } from './tmpfiles.js';
import type { WantedDirectory } from './tmpfiles.js';

/** A name resolution file, at the place where the root expects it. */
export interface NetworkFile {
  readonly name: 'resolv.conf' | 'hosts';
  readonly path: BytePath;
  /** In what the sandbox mounts; else in the root itself. */
  readonly inMount: boolean;
  readonly missing: boolean;
}

/** What a sandbox needs in a root. */
export interface SandboxPlan {
  readonly mountPoints: MountPoints;
  /** Below what is mounted. */
  readonly directories: readonly WantedDirectory[];
  /** None without the network. */
  readonly network: readonly NetworkFile[];
}

export function planSandbox(root: RootReader, { network }: { readonly network: boolean }): SandboxPlan {
  const mountPoints = findMountPoints(root);
  const files = network
    ? (['resolv.conf', 'hosts'] as const).flatMap((name) => networkFile(root, name, mountPoints))
    : [];
  return { mountPoints, directories: wantedDirectories(root, mountPoints), network: files };
}

/** Undefined where the root has something other than a file there, or has its own `hosts`: that stays as it is. */
function networkFile(root: RootReader, name: NetworkFile['name'], { paths }: MountPoints): NetworkFile[] {
  const resolved = follow(root, `etc/${name}`, Object.values(paths));
  if (resolved.kind === 'absent') return [{ name, path: resolved.path, inMount: false, missing: true }];
  if (resolved.kind === 'covered') {
    const isFree = (resolved.by === paths.run || resolved.by === paths.tmp) && resolved.path !== resolved.by;
    return isFree ? [{ name, path: resolved.path, inMount: true, missing: true }] : [];
  }
  if (resolved.kind !== 'found' || resolved.entry.type !== 'file' || name === 'hosts') return [];
  return [{ name, path: resolved.path, inMount: false, missing: false }];
}

/** Whether two roots have the same sandbox, as far as programs in it can observe. */
function isSameSandbox(a: SandboxPlan, b: SandboxPlan): boolean {
  const text = ({ mountPoints, directories, network }: SandboxPlan) =>
    JSON.stringify([mountPoints.paths, directories, network.map(({ name, path }) => [name, path])]);
  return text(a) === text(b);
}

/** Notes what a plan looks at. */
class RecordingRoot implements RootReader {
  readonly entries = new Map<BytePath, RootEntry | undefined>();
  readonly listed = new Set<BytePath>();

  constructor(readonly root: RootReader) {}

  entry(path: BytePath): RootEntry | undefined {
    const entry = this.root.entry(path);
    this.entries.set(path, entry);
    return entry;
  }

  names(directory: BytePath): readonly string[] {
    this.listed.add(directory);
    return this.root.names(directory);
  }

  read(path: BytePath, most: number): Buffer | undefined {
    return this.root.read(path, most);
  }
}

/**
 * The sandbox of a base's run, for comparison with those of its containers. What the sandbox looks up is in no read
 * set, because no mount sees it: where a container's sandbox would differ, the procedure has to run there.
 */
export class SandboxOnBase {
  readonly #recorded: RecordingRoot;
  readonly #plan: SandboxPlan;
  readonly #network: boolean;

  constructor(base: RootReader, options: { readonly network: boolean }) {
    this.#recorded = new RecordingRoot(base);
    this.#network = options.network;
    this.#plan = planSandbox(this.#recorded, options);
  }

  /**
   * @param storages a container's
   * @param root the container's
   * @returns a path that makes its sandbox differ
   */
  differingPath(storages: readonly Listing[], root: () => RootReader): BytePath | undefined {
    const path = this.#touchedPath(storages);
    if (path === undefined) return undefined;
    return isSameSandbox(this.#plan, planSandbox(root(), { network: this.#network })) ? undefined : path;
  }

  /**
   * A path that was read and at which a storage may differ. A directory that the base has too only leads to other
   * paths.
   */
  #touchedPath(storages: readonly Listing[]): BytePath | undefined {
    for (const [path, before] of this.#recorded.entries) {
      for (const storage of storages) {
        const entry = storage.get(path);
        if (entry === undefined) continue;
        const isCarrier = entry.type === 'directory' && !entry.opaque && entry.redirect === '';
        if (isCarrier && before?.type === 'directory' && !this.#recorded.listed.has(path)) continue;
        return path;
      }
    }
    return undefined;
  }
}
