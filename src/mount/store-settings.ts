import * as z from 'zod';
import { own } from '../manifest/index.js';
import type { Manifest } from '../manifest/index.js';
import { writeFileDurably } from '../platform/durable.js';
import { readJsonRecordSync } from '../store/index.js';
import type { Store } from '../store/index.js';
import { engineWishes } from './choose-engine.js';
import type { EngineWish } from './choose-engine.js';

/** How the driver can open the files of a container (docs/driver.md, "Ways to open"). */
export const containerModes = ['stateless', 'passthrough'] as const;
export type ContainerMode = (typeof containerModes)[number];

/** What holds for commands of a store that do not say otherwise. */
export interface StoreSettings {
  readonly engine: EngineWish;
  /** By container; one that is not here is opened as its image says, else stateless. */
  readonly containers: Readonly<Record<string, ContainerSettings>>;
}

interface ContainerSettings {
  readonly mode: ContainerMode;
  /** When the container was created: another one that gets its name later has settings of its own. */
  readonly created: string;
}

const containerSchema = z.strictObject({ mode: z.enum(containerModes), created: z.iso.datetime() });
const schema = z.strictObject({
  version: z.literal(1),
  engine: z.enum(engineWishes).default('fuse'),
  containers: z.record(z.string(), containerSchema).default({}),
});

/** @throws LaminaError damaged */
export function readStoreSettings({ paths }: Pick<Store, 'paths'>): StoreSettings {
  const stored = readJsonRecordSync(paths.settings, {
    schema,
    fault: 'does not hold the settings of the store',
    code: 'STORE_SETTINGS_DAMAGED',
    hint: 'remove it, and set them again: lamina settings',
  });
  return { engine: stored?.engine ?? 'fuse', containers: stored?.containers ?? {} };
}

/**
 * Replaces the settings, and drops those of containers that are gone.
 * @param change gives the new ones; the manifest is the present one
 * @returns what holds then
 */
export async function changeStoreSettings(
  store: Store,
  change: (before: StoreSettings, manifest: Manifest) => StoreSettings,
): Promise<StoreSettings> {
  return store.change(async (manifest) => {
    const before = readStoreSettings(store);
    const { engine, containers } = change(before, manifest);
    const present = Object.entries(containers).filter(([name, each]) => isOf(manifest, name, each));
    const after = { engine, containers: Object.fromEntries(present) };
    const stored = { version: 1, engine, ...(present.length === 0 ? {} : { containers: after.containers }) };
    if (JSON.stringify(after) !== JSON.stringify(before))
      await writeFileDurably(store.paths.settings, `${JSON.stringify(stored, null, 2)}\n`, { mode: 0o600 });
    return after;
  });
}

const isOf = (manifest: Manifest, container: string, { created }: ContainerSettings): boolean =>
  own(manifest.containers, container)?.created === created;

/** The engine that a command wishes for, or else the store. */
export const engineFor = (store: Pick<Store, 'paths'>, given: EngineWish | undefined): EngineWish =>
  given ?? readStoreSettings(store).engine;

/** How the driver opens the files of a container by its setting; undefined: it has none. */
export function modeSetting(
  store: Pick<Store, 'paths'>,
  manifest: Manifest,
  container: string,
): ContainerMode | undefined {
  const set = own(readStoreSettings(store).containers, container);
  return set !== undefined && isOf(manifest, container, set) ? set.mode : undefined;
}
