import { fromText, join } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { AgentPaths } from './paths/agent-paths.js';
import { displacedPaths } from './paths/displaced-paths.js';
import type { DisplacedPaths } from './paths/displaced-paths.js';
import { imagePaths } from './paths/image-paths.js';
import type { ImagePaths } from './paths/image-paths.js';
import { NodePaths } from './paths/node-paths.js';
import { pastPaths } from './paths/past-paths.js';
import type { PastPaths } from './paths/past-paths.js';
import { TransactionPaths } from './paths/transaction-paths.js';
import { UpdatePaths } from './paths/update-paths.js';

export * from './paths/agent-paths.js';
export * from './paths/displaced-paths.js';
export * from './paths/image-paths.js';
export * from './paths/node-paths.js';
export * from './paths/past-paths.js';
export * from './paths/run-paths.js';
export * from './paths/transaction-paths.js';
export * from './paths/update-paths.js';

const rootNames = {
  manifest: 'manifest.json',
  checkedManifest: 'manifest.checked',
  lock: 'lock',
  settings: 'settings.json',
  users: 'users',
  nodes: 'nodes',
  updates: 'updates',
  transactions: 'transactions',
  displaced: 'asides',
  history: 'history',
  images: 'images',
  mounts: 'mounts',
  serve: 'serve',
  containerd: 'containerd',
  agent: 'agent',
} as const;

/** Whether Lamina makes something of this name in STORE itself. Names of unfinished files are `isTemporaryName`. */
export function isRootName(name: string): boolean {
  return /^manifest-v\d+\.json$/.test(name) || Object.values<string>(rootNames).includes(name);
}

const socketEnding = '.sock';
/** The driver binds its socket under such a name, and gives it its own when it listens. */
const startingSocket = /^\.control-/;
const lockEnding = '.lock';
const recordEnding = '.mount';

/** The name of a control socket in `mounts`, or of one that a starting driver has not finished. */
export function isSocketName(name: string): boolean {
  return name.endsWith(socketEnding) || startingSocket.test(name);
}

/** The container to which a control socket belongs; undefined: it is that of none, or not finished. */
export function containerOfSocket(name: string): string | undefined {
  return name.endsWith(socketEnding) ? name.slice(0, -socketEnding.length) : undefined;
}

/** The container to which the record of a mount by the kernel belongs; undefined: it is no such record. */
export function containerOfMountRecord(name: string): string | undefined {
  return name.endsWith(recordEnding) ? name.slice(0, -recordEnding.length) : undefined;
}

/** The id of a `run` mount to which a name in `mounts` belongs. */
export function runMountId(name: string): string {
  return name.endsWith(lockEnding) ? name.slice(0, -lockEnding.length) : name;
}

/** Every name below STORE (docs/format.md), with the files of paths/. No other code spells them. */
export class StorePaths {
  constructor(readonly root: BytePath) {}

  get manifest(): BytePath {
    return join(this.root, rootNames.manifest);
  }
  /** The digest of the last manifest that was published, whose content was checked then. */
  get checkedManifest(): BytePath {
    return join(this.root, rootNames.checkedManifest);
  }
  /** The last manifest of an older version of the format. */
  olderManifest(version: number): BytePath {
    return join(this.root, `manifest-v${version}.json`);
  }
  get lock(): BytePath {
    return join(this.root, rootNames.lock);
  }
  /** What holds for commands that do not say otherwise; missing: all defaults. */
  get settings(): BytePath {
    return join(this.root, rootNames.settings);
  }
  /** Exists where the store has its owner's subordinate ids too; names the process that holds the user namespace. */
  get users(): BytePath {
    return join(this.root, rootNames.users);
  }
  get nodes(): BytePath {
    return join(this.root, rootNames.nodes);
  }
  get updates(): BytePath {
    return join(this.root, rootNames.updates);
  }
  get transactions(): BytePath {
    return join(this.root, rootNames.transactions);
  }
  get allDisplaced(): BytePath {
    return join(this.root, rootNames.displaced);
  }
  /** Of updates that ended: what they were, why they ended, and what `update redo` needs. */
  get history(): BytePath {
    return join(this.root, rootNames.history);
  }
  /** Of images that bases were made of: their configurations. */
  get images(): BytePath {
    return join(this.root, rootNames.images);
  }
  get mounts(): BytePath {
    return join(this.root, rootNames.mounts);
  }
  /** Of `lamina serve`: its jobs and its audit log. */
  get serve(): BytePath {
    return join(this.root, rootNames.serve);
  }
  /** Leads containerd to what it may mount and write. */
  get containerd(): BytePath {
    return join(this.root, rootNames.containerd);
  }
  /**
   * A symlink to the directory of the node that a snapshot of containerd may write into, as long as nothing else of
   * Lamina uses the container that the snapshot shows.
   */
  grant(snapshot: string): BytePath {
    return join(this.containerd, snapshot);
  }
  /** What `lamina agent` keeps. */
  get agent(): AgentPaths {
    return new AgentPaths(join(this.root, rootNames.agent));
  }
  node(id: string): NodePaths {
    return new NodePaths(join(this.nodes, id));
  }
  update(id: string): UpdatePaths {
    return new UpdatePaths(join(this.updates, id));
  }
  transaction(id: string): TransactionPaths {
    return new TransactionPaths(join(this.transactions, id));
  }
  displaced(id: string): DisplacedPaths {
    return displacedPaths(join(this.allDisplaced, id));
  }
  image(configDigest: string): ImagePaths {
    return imagePaths(this.images, configDigest);
  }
  past(update: string): PastPaths {
    return pastPaths(join(this.history, update));
  }
  /** Where `run` mounts a container while its command runs; the lock is held as long. */
  runMount(id: string): { readonly mountpoint: BytePath; readonly lock: BytePath } {
    return { mountpoint: join(this.mounts, id), lock: join(this.mounts, `${id}${lockEnding}`) };
  }
  /** Describes the mount of a container that the kernel makes: from before it is made until it is unmounted. */
  mountRecord(container: string): BytePath {
    return join(this.mounts, `${fromText(container)}${recordEnding}`);
  }
  /** The control socket of a container's mount. */
  control(container: string): BytePath {
    return join(this.mounts, `${fromText(container)}${socketEnding}`);
  }
}
