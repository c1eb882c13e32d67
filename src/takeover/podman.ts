import { fromBuffer, printable } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { failed, messageOf, notFound } from '../base/errors.js';
import { isRecord, jsonOf } from '../base/json.js';
import { warn } from '../base/this-command.js';
import { outputOf, runProcess } from '../platform/process.js';
import { hasProgram } from '../platform/programs.js';
import { mappedOwners, requireRoot, stillRuns } from './place.js';
import type { Place } from './place.js';

/** States in which no process of the container is there (podman-ps(1)). */
const still = ['created', 'configured', 'exited', 'stopped'];

/**
 * The root of a container of podman, mounted by podman itself, with the user's own settings
 * (containers-storage.conf(5)). What a `podman export` writes has whole seconds only, so that files would differ from
 * the base in their times.
 * @throws LaminaError refused: it runs, or we may not mount it; notFound: no such container, or no podman
 */
export async function withPodmanRoot<T>(
  name: string,
  signal: AbortSignal | undefined,
  work: (place: Place) => Promise<T>,
): Promise<T> {
  const called = printable(`podman:${name}`);
  requireRoot(called, `give its archive: podman export --output root.tar ${printable(name)}`);
  if (!hasProgram('podman'))
    throw notFound(`${called} needs podman, which is not in PATH`, {
      code: 'NO_PODMAN',
      hint: 'install it (Debian: podman), or give the directory or an archive of the root',
    });
  const podman = async (...args: string[]) =>
    outputOf({ command: 'podman', args: [...args, '--', name], ...(signal === undefined ? {} : { signal }) });
  await requireContainer(name, called, signal);
  const check = async () => {
    const state = (await podman('container', 'inspect', '--format', '{{.State.Status}}')).toString('utf8').trim();
    if (!still.includes(state)) throw stillRuns(called, printable(state), `stop it: podman stop ${printable(name)}`);
  };
  await check();
  const maps = jsonOf((await podman('container', 'inspect', '--format', '{{json .HostConfig.IDMappings}}')).toString());
  if (isRecord(maps) && Object.values(maps).some((map) => Array.isArray(map) && map.length > 0))
    throw mappedOwners(called, `give its archive: podman export --output root.tar ${printable(name)}`);
  const at = mountedAt(await podman('mount'), called);
  try {
    return await work({ at, called, check });
  } finally {
    await unmount(name, called);
  }
}

async function requireContainer(name: string, called: string, signal: AbortSignal | undefined): Promise<void> {
  const args = ['container', 'exists', '--', name];
  const asked = { command: 'podman', args, ...(signal === undefined ? {} : { signal }) };
  // podman-container-exists(1): 1 where there is none.
  if ((await runProcess(asked)).exitCode === 1)
    throw notFound(`there is no container ${called}`, { code: 'NO_ROOT', hint: 'podman ps --all lists them' });
}

function mountedAt(output: Buffer, called: string): BytePath {
  const path = fromBuffer(output).replace(/\n$/, '') as BytePath;
  if (path.startsWith('/')) return path;
  throw failed(`podman does not say where it has mounted ${called}`, { code: 'PROGRAM_FAILED' });
}

/** Also after a signal. A mount that stays is podman's: it blocks nothing, and `podman umount` ends it. */
async function unmount(name: string, called: string): Promise<void> {
  try {
    await outputOf({ command: 'podman', args: ['umount', '--', name] });
  } catch (error) {
    warn(`${called} stays mounted until podman umount ${printable(name)}: ${printable(messageOf(error))}`);
  }
}
