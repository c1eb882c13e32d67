import { display } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { must, refused } from '../base/errors.js';
import { containerOf, own, stackOf } from '../manifest/index.js';
import type { Manifest } from '../manifest/index.js';
import {
  containerSource,
  describeMount,
  describeUse,
  engineFor,
  findMounts,
  forgetKernelMount,
  isDriven,
  lateMount,
  lateMountBeside,
  mountByWish,
  mountStack,
  reasonAgainstContainer,
  recordKernelMount,
  recordedKernelMounts,
  revokeGrant,
  unmountStack,
} from '../mount/index.js';
import type {
  ChosenEngine,
  ContainerMode,
  EngineName,
  EngineWish,
  HostView,
  MountRequest,
  Upper,
  Use,
} from '../mount/index.js';
import type { Held } from '../platform/held.js';
import { takeLock } from '../platform/lock.js';
import { isMachineRoot } from '../platform/privileges.js';
import { NodeReader } from '../store/index.js';
import type { Store } from '../store/index.js';
import { checkFollowed } from './followed-by-kernel.js';
import { modeFor } from './opening.js';

export interface MountOptions extends HostView {
  readonly readOnly?: boolean | undefined;
  /** How the driver opens files; by default as `openingOf` has it. */
  readonly mode?: ContainerMode | undefined;
  /** By default the store's. */
  readonly engine?: EngineWish | undefined;
}

interface MountHere extends MountOptions {
  readonly held?: Held;
  /** Whether it is mounted for a sandbox that is to show it with owners of its own. */
  readonly mapsOwners?: boolean;
}

/** What is mounted, with the manifest that it was mounted by. */
export interface PresentMount extends ChosenEngine {
  readonly manifest: Manifest;
  readonly upper: Upper;
  readonly mode: ContainerMode;
}

/** Mounts the container's current storages: those from before an update must not be written to. */
export async function mountPresent(
  store: Store,
  name: string,
  mountpoint: BytePath,
  options: MountHere,
): Promise<PresentMount> {
  for (;;) {
    const manifest = await store.read();
    const { tree, work } = store.paths.node(containerOf(manifest, name).storage);
    const upper = { tree, work };
    await refuseMounted(store, manifest, name);
    const mode = options.mode ?? modeFor(store, manifest, name);
    const mount = new ContainerMount(store, manifest, name, { mountpoint, upper, mode, options });
    let chosen: ChosenEngine;
    try {
      chosen = await mount.make();
    } catch (error) {
      mount.release();
      if (!isSameStack(manifest, await store.read(), name)) continue;
      await refuseMounted(store, manifest, name);
      throw error;
    }
    try {
      // From here on the driver's lock, or the kernel's mark, keeps others from changing the container.
      if (isSameStack(manifest, await store.read(), name)) return { manifest, upper, mode, ...chosen };
      await unmountStack(mountpoint, upper);
    } finally {
      mount.release();
    }
  }
}

function isSameStack(before: Manifest, now: Manifest, name: string): boolean {
  if (own(now.containers, name) === undefined) return false;
  return stackOf(before, name).nodes.join() === stackOf(now, name).nodes.join();
}

export async function refuseMounted(store: Store, manifest: Manifest, name: string): Promise<void> {
  const mounted = (await findMounts(store)).find((found) => found.container === name);
  if (mounted !== undefined) {
    const { words, next } = await describeMount(store, mounted);
    throw refused(`container '${name}' is ${words}`, { code: 'ALREADY_MOUNTED', hint: next });
  }
  const { work } = store.paths.node(containerOf(manifest, name).storage);
  const mayBeUsed = isDriven(work) || recordedKernelMounts(store).includes(name);
  const use = mayBeUsed ? await describeUse(store, manifest, name) : undefined;
  if (use !== undefined) throw refused(`container '${name}' is ${use.words}`, { code: 'MOUNTED', hint: use.next });
}

/** A container's mount as it is made. Until `release` no other command can mount the container or change it. */
class ContainerMount {
  #lock: { release(): void } | undefined;

  constructor(
    readonly store: Store,
    readonly manifest: Manifest,
    readonly name: string,
    readonly place: {
      readonly mountpoint: BytePath;
      readonly upper: Upper;
      readonly mode: ContainerMode;
      readonly options: MountHere;
    },
  ) {}

  async make(): Promise<ChosenEngine> {
    const { mapsOwners, mode, engine: given } = this.place.options;
    const wish = engineFor(this.store, given);
    // Who says how the driver is to open files wants the driver.
    const engine = given === undefined && mode !== undefined && wish === 'kernel' ? 'auto' : wish;
    const request = this.#request();
    const against = () => reasonAgainstContainer(request, { mode, mapsOwners });
    return mountByWish(engine, against, async (each) => this.#mountBy(each, request));
  }

  release(): void {
    this.#lock?.release();
    this.#lock = undefined;
  }

  async #mountBy(engine: EngineName, request: MountRequest): Promise<void> {
    if (engine === 'fuse') {
      this.release();
      await this.#takeFromContainerd();
      await mountStack(request);
      // containerd may have asked again before the driver had the lock, or have followed the grant just before.
      await this.#takeFromContainerd(async () => this.#unmount(request));
      await this.#refuse(lateMount(this.store, this.manifest, this.name), async () => this.#unmount(request));
      return;
    }
    await checkFollowed(new NodeReader(this.store, this.manifest), this.name);
    if (request.upper === undefined) {
      await mountStack({ ...request, engine });
      return;
    }
    this.#lock = await this.#takeLock(request.upper);
    await this.#takeFromContainerd();
    recordKernelMount(this.store, this.name, this.place.mountpoint);
    try {
      await mountStack({ ...request, engine });
      const late = await lateMountBeside(this.store, this.manifest, this.name);
      // Nothing has been written by it, and containerd's mount keeps the upper in use.
      await this.#refuse(late, async () => unmountStack(request.mountpoint, undefined));
    } catch (error) {
      forgetKernelMount(this.store, this.name);
      throw error;
    }
  }

  /**
   * Ends what containerd may do with the container: with the lock of the work directory until that is released.
   * @throws LaminaError refused: it has mounted it
   */
  async #takeFromContainerd(undo: () => Promise<void> = () => Promise.resolve()): Promise<void> {
    await this.#refuse(await revokeGrant(this.store, this.manifest, this.name), undo);
  }

  async #refuse(use: Use | undefined, undo: () => Promise<void>): Promise<void> {
    if (use === undefined) return;
    await undo();
    throw refused(`container '${this.name}' is ${use.words}`, { code: 'MOUNTED', hint: use.next });
  }

  async #unmount({ mountpoint, upper }: MountRequest): Promise<void> {
    await unmountStack(mountpoint, upper);
  }

  /** The lock of which the driver would have to have it as well. */
  async #takeLock({ work }: Upper) {
    const lock = await takeLock(work);
    if (lock !== undefined) return lock;
    const use = await describeUse(this.store, this.manifest, this.name);
    throw refused(`container '${this.name}' is ${use?.words ?? `in use: ${display(work)} is locked`}`, {
      code: 'MOUNTED',
      hint: use?.next ?? 'try again',
    });
  }

  #request(): MountRequest {
    const { store, manifest, name } = this;
    const { mountpoint, upper, mode, options } = this.place;
    const { readOnly, held, suid, dev, noExec } = options;
    const { storages, layers } = stackOf(manifest, name);
    const [top, ...sealed] = storages;
    const lowers = [...(readOnly === true ? [must(top, 'a top storage')] : []), ...sealed, ...layers];
    return {
      lowers: new NodeReader(store, manifest).mountable(lowers),
      upper: readOnly === true ? undefined : upper,
      mountpoint,
      held,
      source: containerSource(store, name),
      hostView: { suid, dev, noExec },
      fuse: {
        mode,
        control: store.paths.control(name),
        outlivesUnit: true,
        // Without root the kernel maps no owners.
        mapsOwners: isMachineRoot(),
      },
    };
  }
}
