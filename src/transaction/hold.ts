import { display } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { LaminaError, damaged, isSystemError, refused } from '../base/errors.js';
import { containerOf } from '../manifest/index.js';
import type { Manifest, NodeId } from '../manifest/index.js';
import {
  describeKernelMount,
  describeMount,
  describeUse,
  findKernelMount,
  findMounts,
  forgetKernelMount,
  lateMount,
  recordedKernelMounts,
  revokeGrant,
} from '../mount/index.js';
import type { Use } from '../mount/index.js';
import { takeLock } from '../platform/lock.js';
import type { Lock } from '../platform/lock.js';
import type { Store } from '../store/index.js';

/**
 * Keeps containers from being mounted, by the lock that a driver needs on the work directory of the top storage, until
 * `release`.
 * @throws LaminaError refused: one is mounted (with its name and mount point)
 */
export class ContainerHold {
  readonly #locks = new Map<string, { readonly storage: NodeId; readonly lock: Lock }>();

  constructor(readonly store: Store) {}

  async add(manifest: Manifest, containers: Iterable<string>): Promise<void> {
    for (const error of (await this.addPresent(manifest, containers)).values()) throw error;
  }

  /**
   * As `add`, for the containers whose top storage exists. Returns the others with what they lack: they cannot be
   * mounted.
   */
  async addPresent(manifest: Manifest, containers: Iterable<string>): Promise<Map<string, LaminaError>> {
    const added: string[] = [];
    const missing = new Map<string, LaminaError>();
    for (const container of containers) {
      if (this.#locks.has(container)) continue;
      const { storage } = containerOf(manifest, container);
      const { work } = this.store.paths.node(storage);
      const lock = await this.#lockOf(manifest, container, work);
      if (lock instanceof LaminaError) {
        missing.set(container, lock);
        continue;
      }
      this.#locks.set(container, { storage, lock });
      added.push(container);
    }
    await this.#refuseShown(manifest, added);
    return missing;
  }

  /**
   * A read-only mount holds no lock, and would lose its content; nor does a mount by the kernel, which may be in
   * another mount namespace, or containerd's.
   */
  async #refuseShown(manifest: Manifest, added: readonly string[]): Promise<void> {
    const mounts = await findMounts(this.store);
    const recorded = new Set(recordedKernelMounts(this.store));
    for (const container of added) {
      const mount = mounts.find((found) => found.container === container);
      if (mount !== undefined) throw inUse(container, await describeMount(this.store, mount));
      const granted = await revokeGrant(this.store, manifest, container);
      if (granted !== undefined) throw inUse(container, granted);
      if (!recorded.has(container)) continue;
      const kernel = findKernelMount(this.store, manifest, container);
      if (kernel !== undefined) throw inUse(container, describeKernelMount(container, kernel));
      forgetKernelMount(this.store, container);
    }
  }

  /** The error for a missing lock directory. */
  async #lockOf(manifest: Manifest, container: string, work: BytePath): Promise<Lock | LaminaError> {
    for (;;) {
      const lock = await lockOf(work);
      if (lock === 'missing') return this.#missing(manifest, container, work);
      if (lock !== undefined) return lock;
      const use = await useOf(this.store, manifest, container);
      if (use !== undefined) throw inUse(container, use);
    }
  }

  /** @throws LaminaError refused: the storage was removed legitimately since the manifest was read */
  async #missing(manifest: Manifest, container: string, work: BytePath): Promise<LaminaError> {
    const now = (await this.store.read()).containers[container]?.storage;
    if (now !== containerOf(manifest, container).storage) throw changed(container);
    return damaged(`the storage of container '${container}' is damaged: ${display(work)} is missing`, {
      code: 'NODE_MISSING',
      hint: 'run lamina verify',
    });
  }

  /**
   * Between the reading of a manifest and the hold the containers may have got other storages; and a mount of
   * containerd's may have been too late to be seen then.
   * @throws LaminaError refused
   */
  check(present: Manifest): void {
    for (const [container, { storage }] of this.#locks) {
      if (present.containers[container]?.storage !== storage) throw changed(container);
      const late = lateMount(this.store, present, container);
      if (late !== undefined) throw inUse(container, late);
    }
  }

  release(): void {
    for (const { lock } of this.#locks.values()) lock.release();
    this.#locks.clear();
  }
}

/** Undefined: another process holds it. */
async function lockOf(work: BytePath): Promise<Lock | 'missing' | undefined> {
  try {
    return await takeLock(work);
  } catch (error) {
    if (isSystemError(error, 'ENOENT', 'EISDIR')) return 'missing';
    throw error;
  }
}

function changed(container: string) {
  return refused(`container '${container}' was changed by another command meanwhile`, {
    code: 'STALE',
    hint: 'try again',
  });
}

const mountOf = async (store: Store, container: string) =>
  (await findMounts(store)).find((found) => found.container === container);

/** Undefined: it is free again. */
async function useOf(store: Store, manifest: Manifest, container: string): Promise<Use | undefined> {
  const mount = await mountOf(store, container);
  return mount === undefined ? describeUse(store, manifest, container) : describeMount(store, mount);
}

function inUse(container: string, { words, next }: Use) {
  return refused(`container '${container}' is ${words}`, { code: 'MOUNTED', hint: next });
}

/** Runs `work` with containers held. */
export async function withHold<T>(store: Store, work: (hold: ContainerHold) => Promise<T>): Promise<T> {
  const hold = new ContainerHold(store);
  try {
    return await work(hold);
  } finally {
    hold.release();
  }
}
