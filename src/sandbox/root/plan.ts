import type { BytePath } from '../../base/bytes.js';
import type { Listing } from '../../changeset/index.js';
import { follow } from './follow.js';
import { placesOf } from './mount-points.js';
import type { Places } from './mount-points.js';
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
  readonly places: Places;
  /** Below what is mounted. */
  readonly directories: readonly WantedDirectory[];
  /** None without the network. */
  readonly network: readonly NetworkFile[];
}

export function planSandbox(root: RootReader, { network }: { readonly network: boolean }): SandboxPlan {
  const places = placesOf(root);
  const files = network ? (['resolv.conf', 'hosts'] as const).flatMap((name) => networkFile(root, name, places)) : [];
  return { places, directories: wantedDirectories(root, places), network: files };
}

/** Undefined where the root has something other than a file there, or has its own `hosts`: that stays as it is. */
function networkFile(root: RootReader, name: NetworkFile['name'], { of }: Places): NetworkFile[] {
  const led = follow(root, `etc/${name}`, Object.values(of));
  if (led.kind === 'absent') return [{ name, path: led.path, inMount: false, missing: true }];
  if (led.kind === 'covered') {
    const isFree = (led.by === of.run || led.by === of.tmp) && led.path !== led.by;
    return isFree ? [{ name, path: led.path, inMount: true, missing: true }] : [];
  }
  if (led.kind !== 'found' || led.entry.type !== 'file' || name === 'hosts') return [];
  return [{ name, path: led.path, inMount: false, missing: false }];
}

/** Whether two roots have the same sandbox, as far as programs in it can observe. */
function isSameSandbox(a: SandboxPlan, b: SandboxPlan): boolean {
  const text = ({ places, directories, network }: SandboxPlan) =>
    JSON.stringify([places.of, directories, network.map(({ name, path }) => [name, path])]);
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
 * set, for no mount sees it: where a container's sandbox would differ, the procedure has to run there.
 */
export class SandboxOnBase {
  readonly #looked: RecordingRoot;
  readonly #plan: SandboxPlan;
  readonly #network: boolean;

  constructor(base: RootReader, options: { readonly network: boolean }) {
    this.#looked = new RecordingRoot(base);
    this.#network = options.network;
    this.#plan = planSandbox(this.#looked, options);
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
    for (const [path, before] of this.#looked.entries) {
      for (const storage of storages) {
        const entry = storage.get(path);
        if (entry === undefined) continue;
        const isCarrier = entry.type === 'directory' && !entry.opaque && entry.redirect === '';
        if (isCarrier && before?.type === 'directory' && !this.#looked.listed.has(path)) continue;
        return path;
      }
    }
    return undefined;
  }
}
