import { refused, usage } from '../base/errors.js';
import { containerOf } from '../manifest/index.js';
import { changeStoreSettings, containerModesOf, readStoreSettings } from '../mount/index.js';
import type { ContainerMode, EngineWish, StoreSettings } from '../mount/index.js';
import { isMachineRoot } from '../platform/privileges.js';
import type { Store } from '../store/index.js';

export type { ContainerMode };

export interface SettingsData {
  readonly engine: EngineWish;
  /** Those that are not opened stateless. */
  readonly containers: readonly { readonly name: string; readonly mode: ContainerMode }[];
}

export interface GivenSettings {
  readonly engine?: EngineWish | undefined;
  /** Of the container that is given. */
  readonly mode?: ContainerMode | undefined;
}

/**
 * The settings of a store, after those that are given were changed.
 * @param container whose mode is given or wanted; undefined: of all
 * @throws LaminaError notFound; usage, refused: the mode cannot be set
 */
export async function settings(
  store: Store,
  container: string | undefined,
  given: GivenSettings,
): Promise<SettingsData> {
  checkGiven(container, given);
  const manifest = await store.read();
  if (container !== undefined) containerOf(manifest, container);
  const isGiven = given.engine !== undefined || given.mode !== undefined;
  const after = isGiven
    ? await changeStoreSettings(store, (before, present) => {
        const created = container === undefined ? undefined : containerOf(present, container).created;
        return changed(before, given, container, created);
      })
    : readStoreSettings(store);
  const containers = containerModesOf(after, await store.read());
  return {
    engine: after.engine,
    containers: containers.filter(({ name }) => container === undefined || name === container),
  };
}

function checkGiven(container: string | undefined, { engine, mode }: GivenSettings): void {
  if (mode !== undefined && container === undefined)
    throw usage('--mode is a setting of a container', {
      hint: 'name it: lamina settings CONTAINER --mode passthrough',
    });
  if (engine !== undefined && container !== undefined)
    throw usage('--engine is a setting of the store, not of a container', {
      hint: `leave out '${container}', or give --engine to the command: lamina mount --engine ${engine} ${container} DIR`,
    });
  if (mode === 'passthrough' && !isMachineRoot())
    throw refused('the kernel offers passthrough to root of the machine only', {
      code: 'NO_PASSTHROUGH',
      hint: 'run it as root, on a store of root',
    });
}

function changed(
  { engine, containers }: StoreSettings,
  given: GivenSettings,
  container: string | undefined,
  created: string | undefined,
): StoreSettings {
  const { mode } = given;
  const others = Object.entries(containers).filter(([name]) => mode === undefined || name !== container);
  const set =
    container === undefined || created === undefined || mode === undefined
      ? []
      : [[container, { mode, created }] as const];
  const kept = set.filter(([, each]) => each.mode !== 'stateless');
  return { engine: given.engine ?? engine, containers: Object.fromEntries([...others, ...kept]) };
}
