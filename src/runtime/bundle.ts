import { existsSync, mkdirSync, readdirSync, rmSync, rmdirSync, writeFileSync } from 'node:fs';
import { display, join, printable, toBuffer } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { failed, isSystemError, messageOf, notFound, refused, usage } from '../base/errors.js';
import { warn } from '../base/this-command.js';
import { mountPresent, refuseMounted, withImageDefaults } from '../containers/index.js';
import type { MountOptions, PresentMount } from '../containers/index.js';
import { containerOf } from '../manifest/index.js';
import { checkHostView, unmountStack, withMountpoint } from '../mount/index.js';
import { exposureAt, exposureOnTheWay, exposureText } from '../platform/exposure.js';
import type { Exposure } from '../platform/exposure.js';
import { isMachineRoot } from '../platform/privileges.js';
import { MountedRoot, follow, parseCapabilities, userOf } from '../sandbox/index.js';
import type { Capability, RunOptions } from '../sandbox/index.js';
import type { Store } from '../store/index.js';
import { runOptionsOf } from './run-options.js';
import { rootName, runtimeCapabilities, runtimeSpec } from './spec.js';
import type { RuntimeProcess } from './spec.js';

export interface BundleOptions extends Pick<MountOptions, 'engine' | 'readOnly'> {
  readonly command: readonly string[];
  /** A name or number of the root's own, `:` and a group. */
  readonly user?: string | undefined;
  readonly environment: Readonly<Record<string, string>>;
  /** In the root, absolute. */
  readonly workingDirectory?: string | undefined;
  readonly addedCapabilities: readonly string[];
  readonly droppedCapabilities: readonly string[];
  readonly network: boolean;
  readonly terminal: boolean;
  /** Whether set-user-ID programs work in it. */
  readonly suid: boolean;
}

/** HOST_NAME_MAX, gethostname(2) */
const longestHostName = 64;
/** Directories of every root that runtimes mount something over. */
const mountedOver = ['/proc', '/dev', '/sys'];
/** They let a program find names of the network. */
const networkFiles = ['/etc/resolv.conf', '/etc/hosts'];

/**
 * Makes an OCI runtime bundle of a container: its root mounted on DIR/rootfs, and DIR/config.json.
 * @param directory missing or empty
 * @throws LaminaError refused: the container is mounted already, the directory is not empty; then there is nothing new
 */
export async function makeBundle(
  store: Store,
  name: string,
  directory: BytePath,
  options: BundleOptions,
): Promise<PresentMount> {
  refuseOthers(name);
  checkHostView({ suid: options.suid });
  const capabilities = capabilitiesOf(options);
  const manifest = await store.read();
  containerOf(manifest, name);
  const words = withImageDefaults(store, manifest, name, { command: options.command, options: runOptionsOf(options) });
  await refuseMounted(store, manifest, name);
  const isOurs = claimDirectory(directory);
  const root = join(directory, rootName);
  try {
    mkdirSync(toBuffer(root), { mode: 0o755 });
    const { engine, readOnly, suid } = options;
    const mounted = await withMountpoint(root, async ({ path, held }) =>
      mountPresent(store, name, path, { engine, readOnly, suid, held }),
    );
    await orUnmounted(root, mounted, () => {
      const text = configOf(name, root, { ...options, capabilities, ...words });
      writeFileSync(toBuffer(join(directory, 'config.json')), text, { mode: 0o600, flag: 'wx' });
    });
    return mounted;
  } catch (error) {
    leaveNothing(directory, isOurs);
    throw error;
  }
}

function refuseOthers(name: string): void {
  if (isMachineRoot()) return;
  throw usage('a bundle needs root of the machine: without it runtimes do not see the mount', {
    hint: `run commands in it by lamina run ${name}`,
  });
}

function capabilitiesOf({ addedCapabilities, droppedCapabilities }: BundleOptions): readonly Capability[] {
  const dropped = parseCapabilities('--cap-drop', droppedCapabilities);
  const kept = runtimeCapabilities.filter((each) => !dropped.includes(each));
  return [...new Set([...kept, ...parseCapabilities('--cap-add', addedCapabilities)])];
}

type ConfigWords = BundleOptions & {
  readonly capabilities: readonly Capability[];
  readonly options: RunOptions | undefined;
};

function configOf(name: string, root: BytePath, words: ConfigWords): string {
  const { user = '0', environment = {}, workingDirectory = '/' } = words.options ?? {};
  const reader = new MountedRoot(root);
  try {
    const isThere = (path: string) => follow(reader, path).kind === 'found';
    if (words.readOnly === true)
      refuseWithoutPlaces(
        name,
        mountedOver.filter((path) => !isThere(path)),
      );
    const process: RuntimeProcess = {
      command: words.command,
      user: userOf(reader, user, []),
      environment,
      workingDirectory,
      hostName: name.slice(0, longestHostName),
      terminal: words.terminal,
      network: words.network,
      // On a read-only root a runtime cannot make the files that they are mounted over.
      hostFiles: words.network
        ? networkFiles.filter((path) => existsSync(path) && (words.readOnly !== true || isThere(path)))
        : [],
      readOnly: words.readOnly === true,
      mayGainPrivileges: words.suid,
      capabilities: words.capabilities,
    };
    checkText([...process.command, ...Object.entries(environment).flat(), workingDirectory, process.user.home]);
    return `${JSON.stringify(runtimeSpec(process), null, 2)}\n`;
  } finally {
    reader.close();
  }
}

/** @throws LaminaError refused */
function refuseWithoutPlaces(name: string, missing: readonly string[]): void {
  if (missing.length === 0) return;
  throw refused(`container '${name}' has no ${missing.join(', ')}, which a runtime needs and cannot make read-only`, {
    code: 'NO_MOUNT_POINT',
    hint: 'run it once by a bundle without --read-only: runtimes make what they miss',
  });
}

/** JSON holds no bytes that are not UTF-8. */
function checkText(words: readonly string[]): void {
  const wrong = words.find((word) => /\p{Surrogate}/u.test(word));
  if (wrong === undefined) return;
  throw failed(`'${printable(wrong)}' is not UTF-8, which config.json cannot hold`, {
    code: 'NOT_UTF8',
    hint: 'use UTF-8 only, or run the command by lamina run',
  });
}

/** Who can change config.json decides what a runtime does as root. @throws LaminaError refused */
function refuseExposed(directory: BytePath, exposed: Exposure | undefined): void {
  if (exposed === undefined) return;
  throw refused(`the bundle ${display(directory)} would not be safe: ${exposureText(exposed)}`, {
    code: 'BUNDLE_EXPOSED',
    hint: 'make it below directories that only root may write, such as /run',
  });
}

/** Whether it was made here. @throws LaminaError notFound: what is above it; refused: it is not an empty directory, or
 * not safe */
function claimDirectory(directory: BytePath): boolean {
  const shown = display(directory);
  refuseExposed(directory, exposureOnTheWay(directory));
  try {
    mkdirSync(toBuffer(directory), { mode: 0o700 });
    return true;
  } catch (error) {
    if (isSystemError(error, 'ENOENT'))
      throw notFound(`the directory above ${shown} is missing`, { code: 'NO_PARENT', hint: 'make it first' });
    if (!isSystemError(error, 'EEXIST'))
      throw failed(`cannot make the bundle ${shown}: ${messageOf(error)}`, { cause: error });
  }
  if (entriesOf(directory) === 0) {
    refuseExposed(directory, exposureAt(join(directory, '.'), directory));
    return false;
  }
  throw refused(`${shown} is not an empty directory`, {
    code: 'NOT_EMPTY',
    hint: 'name a directory that is empty, or does not exist',
  });
}

/** Undefined: it is no directory. */
function entriesOf(directory: BytePath): number | undefined {
  try {
    return readdirSync(toBuffer(directory)).length;
  } catch (error) {
    if (isSystemError(error, 'ENOTDIR')) return undefined;
    throw error;
  }
}

async function orUnmounted(root: BytePath, { upper }: PresentMount, work: () => void): Promise<void> {
  try {
    work();
  } catch (error) {
    try {
      await unmountStack(root, upper);
    } catch (busy) {
      warn(`cannot unmount ${display(root)}: ${messageOf(busy)}`);
    }
    throw error;
  }
}

/** Nothing recursive: should the root still be mounted there, its content is the container's. */
function leaveNothing(directory: BytePath, isOurs: boolean): void {
  rmSync(toBuffer(join(directory, 'config.json')), { force: true });
  for (const each of [join(directory, rootName), ...(isOurs ? [directory] : [])]) {
    try {
      rmdirSync(toBuffer(each));
    } catch (error) {
      if (isSystemError(error, 'ENOENT')) continue;
      warn(`cannot remove ${display(each)}: ${messageOf(error)}`);
    }
  }
}
