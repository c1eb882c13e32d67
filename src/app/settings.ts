import { refused, usage } from '../base/errors.js';
import { openingOf } from '../containers/index.js';
import { containerOf } from '../manifest/index.js';
import { changeStoreSettings, reasonAgainstPassthrough, readStoreSettings } from '../mount/index.js';
import type { ContainerMode, EngineWish, StoreSettings } from '../mount/index.js';
import type { Store } from '../store/index.js';

export type { ContainerMode };

export interface SettingsData {
  readonly engine: EngineWish;
  /** Those that are not opened stateless, and what says so: their setting, or a label of their image. */
  readonly containers: readonly {
    readonly name: string;
    readonly mode: ContainerMode;
    readonly by: 'setting' | 'image';
  }[];
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
  return { engine: after.engine, containers: await modesOf(store, container) };
}

async function modesOf(store: Store, container: string | undefined): Promise<SettingsData['containers']> {
  const manifest = await store.read();
  const names = Object.keys(manifest.containers).filter((name) => container === undefined || name === container);
  return names.sort().flatMap((name) => {
    const { mode, by } = openingOf(store, manifest, name);
    return mode === 'stateless' || by === null ? [] : [{ name, mode, by }];
  });
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
  const reason = mode === 'passthrough' ? reasonAgainstPassthrough() : undefined;
  if (reason !== undefined)
    throw refused(reason, {
      code: 'NO_PASSTHROUGH',
      hint: 'lamina host shows what this machine offers; leave the container stateless here',
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
  return { engine: given.engine ?? engine, containers: Object.fromEntries([...others, ...set]) };
}
