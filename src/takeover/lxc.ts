import { closeSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { display, fromText, join } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { failed, messageOf, notFound, refused } from '../base/errors.js';
import { withHeld } from '../platform/held.js';
import { openOverlay } from '../mount/index.js';
import { commandSocket, lxcConfig, settings } from './lxc-config.js';
import type { LxcConfig } from './lxc-config.js';
import { LxcIncludes, configText, requireOwn } from './lxc-files.js';
import { mappedOwners, requireRoot, stillRuns } from './place.js';
import type { Place } from './place.js';

const ownSettings = fromText('/etc/lxc/lxc.conf');
const ownDirectory = fromText('/var/lib/lxc');

/**
 * The root of a container of LXC, from its configuration; an overlay's is shown by the kernel, read-only, and mounted
 * nowhere.
 * @throws LaminaError refused: it runs, or its root is of another kind; notFound: no such container
 */
export async function withLxcRoot<T>(
  { container, directory: given }: { readonly container: BytePath; readonly directory: BytePath | undefined },
  work: (place: Place) => Promise<T>,
): Promise<T> {
  const called = `lxc:${display(given === undefined ? container : join(given, container))}`;
  requireRoot(called, 'give its root as an archive: tar --create --numeric-owner --xattrs --xattrs-include=* …');
  const directory = given ?? lxcDirectory();
  const socket = commandSocket(directory, container);
  const check = async () => {
    if (await isListening(socket)) throw stillRuns(called, 'running', `stop it: lxc-stop -n ${display(container)}`);
  };
  await check();
  const config = join(directory, container, 'config');
  requireOwn(config, called);
  const { root, mapped } = configOf(config, called);
  if (mapped)
    throw mappedOwners(called, 'make an archive of it in its own user namespace (lxc-usernsexec), and give that');
  if (root.kind === 'dir') return work({ at: root.path, called, check });
  if (root.kind === 'overlay')
    return withOverlay(called, root.trees, async (at) => work({ at, called, directories: root.trees, check }));
  const what = root.value === '' ? 'has no lxc.rootfs.path' : `has its root in '${display(fromText(root.value))}'`;
  throw refused(`${called} ${what}: only dir: and overlay: can be read`, {
    code: 'ROOT_KIND',
    hint: 'mount its root, and give the directory',
  });
}

function lxcDirectory(): BytePath {
  const value = settings(configText(ownSettings) ?? '').get('lxc.lxcpath');
  return value?.startsWith('/') === true ? fromText(value) : ownDirectory;
}

function configOf(path: BytePath, called: string): LxcConfig {
  const text = configText(path);
  if (text !== undefined) return lxcConfig(text, new LxcIncludes(called).texts);
  throw notFound(`there is no container ${called}: ${display(path)} is missing`, {
    code: 'NO_ROOT',
    hint: 'lxc-ls lists them; lxc:/DIR/NAME is one in another directory',
  });
}

/** /proc/net/unix shows abstract sockets with an `@` for their zero byte. */
async function isListening(socket: string): Promise<boolean> {
  const table = await readFile('/proc/net/unix', 'latin1');
  return table.split('\n').some((line) => line.endsWith(` @${socket}`));
}

async function withOverlay<T>(
  called: string,
  trees: readonly BytePath[],
  work: (at: BytePath) => Promise<T>,
): Promise<T> {
  const shown = async (left: readonly BytePath[], held: readonly BytePath[]): Promise<T> => {
    const [next, ...rest] = left;
    if (next !== undefined) return withHeld(next, async ({ at }) => shown(rest, [...held, at]));
    const root = overlayOf(held, called);
    try {
      return await work(`/proc/self/fd/${root}/.` as BytePath);
    } finally {
      closeSync(root);
    }
  };
  return shown(trees, []);
}

function overlayOf(trees: readonly BytePath[], called: string): number {
  try {
    return openOverlay(trees);
  } catch (error) {
    throw failed(`the kernel cannot mount the overlay of ${called}: ${messageOf(error)}`, {
      code: 'MOUNT_FAILED',
      hint: "the kernel's log says why (dmesg)",
      cause: error,
    });
  }
}
