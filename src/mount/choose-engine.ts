import { LaminaError } from '../base/errors.js';
import { isMachineRoot } from '../platform/privileges.js';
import { hasLinks } from '../store/index.js';
import type { EngineName, MountMode, MountRequest } from './engine.js';

/** `auto`: the kernel where it shows and writes the same as the driver. */
export const engineWishes = ['fuse', 'kernel', 'auto'] as const;
export type EngineWish = (typeof engineWishes)[number];

/** The engine that a mount has, and for `auto` why. */
export interface ChosenEngine {
  readonly engine: EngineName;
  readonly because: string | undefined;
}

/** From so many trees on the driver's lookups are faster: docs/engines.md. */
export const manyLowers = 40;

/**
 * Mounts by the engine that is wished for. Where `auto` finds no reason against the kernel and it cannot mount the
 * stack on this machine, the driver does.
 * @param against why the kernel would not do as the driver does; undefined: it would. Asked for `auto` only
 * @throws LaminaError as `mount`
 */
export async function mountByWish(
  wish: EngineWish,
  against: () => string | undefined,
  mount: (engine: EngineName) => Promise<void>,
): Promise<ChosenEngine> {
  if (wish !== 'auto') {
    await mount(wish);
    return { engine: wish, because: undefined };
  }
  const because = against() ?? (await reasonOfFailure(mount));
  if (because === undefined)
    return { engine: 'kernel', because: 'it shows the same as the driver here, and is faster' };
  await mount('fuse');
  return { engine: 'fuse', because };
}

/** Why the kernel could not mount; undefined: it is mounted. */
async function reasonOfFailure(mount: (engine: EngineName) => Promise<void>): Promise<string | undefined> {
  try {
    await mount('kernel');
    return undefined;
  } catch (error) {
    if (error instanceof LaminaError && error.code === 'ENGINE_UNAVAILABLE') return error.message;
    throw error;
  }
}

/**
 * Why the kernel would not show a stack as the driver does, or more slowly; undefined: nothing is known against it.
 * @param asMachineRoot whether it is mounted by root of the machine
 */
export function reasonAgainstKernel(
  { lowers }: Pick<MountRequest, 'lowers'>,
  asMachineRoot = isMachineRoot(),
): string | undefined {
  if (!asMachineRoot) return 'without root of the machine it follows neither redirects nor metacopies';
  if (lowers.length < manyLowers) return undefined;
  return `there are ${lowers.length} trees below, and each makes its lookups slower (fewer than ${manyLowers} are fine)`;
}

/**
 * Why the files with several names of a stack would not be what they are by the driver, for mounts without
 * `KernelOptions.keepsLinks`; undefined: they would.
 */
export function reasonOfLinks({ lowers }: Pick<MountRequest, 'lowers'>): string | undefined {
  const linked = lowers.some(({ index }) => index !== undefined && hasLinks(index));
  if (!linked) return undefined;
  return 'what lies below has hard links: it would count hidden names, and break links when one name is written to';
}

/** What a container is mounted for. */
export interface ContainerUse {
  /** How the command asks the driver to open files. A setting does not count: the kernel has no slower way. */
  readonly mode?: MountMode | undefined;
  /** Whether a sandbox shows it with owners of its own. */
  readonly mapsOwners?: boolean | undefined;
}

/** Why a container's mount by the kernel would not be what one by the driver is; undefined: it would be. */
export function reasonAgainstContainer(
  stack: Pick<MountRequest, 'lowers'>,
  { mode, mapsOwners }: ContainerUse,
  asMachineRoot = isMachineRoot(),
): string | undefined {
  if (mode !== undefined) return `the mode ${mode} is given, which only the driver has`;
  if (mapsOwners === true) return 'the sandbox has users of its own, whom its mounts cannot show';
  return reasonAgainstKernel(stack, asMachineRoot) ?? reasonOfLinks(stack);
}
