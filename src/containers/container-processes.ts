import { closeSync, openSync, readSync, readdirSync, readlinkSync, statSync } from 'node:fs';
import { fromBuffer, isBelow, toText } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { isSystemError } from '../base/errors.js';
import { containerOf } from '../manifest/index.js';
import { containerSource, isOfThisUser } from '../mount/index.js';
import { parseMountInfo, readMountInfo } from '../platform/mountinfo.js';
import type { Store } from '../store/index.js';

/** A process whose root is that of a container. */
export interface ContainerProcess {
  /** As this process sees its number. */
  readonly process: number;
  readonly command: string;
  /** Programs and libraries that it still runs although they were replaced or removed: a restart takes the new ones. */
  readonly replaced: readonly string[];
  /** False: what it has mapped could not be read, so `replaced` says nothing. */
  readonly known: boolean;
}

/** Bytes of a file of /proc that are read; paths of one process that are listed. */
const longestFile = 8 << 20;
const mostPaths = 100;

/**
 * The processes in a container's root, in whatever mount namespace it is mounted, as far as we may read /proc.
 * @throws LaminaError notFound: no such container
 */
export async function containerProcesses(store: Store, container: string): Promise<ContainerProcess[]> {
  containerOf(await store.read(), container);
  const source = containerSource(store, container);
  const devices = new DeviceSearch(source);
  const own = (await readMountInfo()).filter((entry) => entry.source === source && isOfThisUser(entry));
  const mountpoints = own.map(({ mountPoint }) => mountPoint);
  const found: ContainerProcess[] = [];
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const device = rootDevice(name);
    if (device !== undefined && devices.of(name).has(device)) found.push(describe(name, device, mountpoints));
  }
  return found.sort((a, b) => a.process - b.process);
}

/** The device numbers of a mount by its source. Many processes share a mount namespace: each is read once. */
class DeviceSearch {
  readonly #known = new Map<string, ReadonlySet<string>>();

  constructor(readonly source: string) {}

  of(process: string): ReadonlySet<string> {
    const namespace = ifThere(() => readlinkSync(`/proc/${process}/ns/mnt`)) ?? process;
    const known = this.#known.get(namespace);
    if (known !== undefined) return known;
    const table = parseMountInfo(contentOf(`/proc/${process}/mountinfo`) ?? '');
    const own = table.filter((entry) => entry.source === this.source && isOfThisUser(entry));
    const devices = new Set(own.map(({ major, minor }) => `${major}:${minor}`));
    this.#known.set(namespace, devices);
    return devices;
  }
}

function describe(process: string, device: string, mountpoints: readonly BytePath[]): ContainerProcess {
  const maps = contentOf(`/proc/${process}/maps`);
  const command = (contentOf(`/proc/${process}/cmdline`) ?? '').split('\0')[0] ?? '';
  const comm = (contentOf(`/proc/${process}/comm`) ?? '').trim();
  return {
    process: Number(process),
    command: toText((command === '' ? comm : command) as BytePath),
    replaced: maps === undefined ? [] : replacedIn(maps, device).map((path) => toText(inRoot(path, mountpoints))),
    known: maps !== undefined,
  };
}

/** The kernel gives paths as this process sees them: below where the container is mounted, if that is in its sight. */
function inRoot(path: BytePath, mountpoints: readonly BytePath[]): BytePath {
  const at = mountpoints.find((each) => isBelow(path, each));
  return at === undefined ? path : (path.slice(at.length) as BytePath);
}

/**
 * Files of a device that are mapped and have no name any more, by /proc/PID/maps (proc_pid_maps(5)): the kernel adds
 * ` (deleted)` to their path.
 */
export function replacedIn(maps: string, device: string): BytePath[] {
  const [major = 0, minor = 0] = device.split(':').map(Number);
  const wanted = `${major.toString(16).padStart(2, '0')}:${minor.toString(16).padStart(2, '0')}`;
  const paths = new Set<BytePath>();
  for (const line of maps.split('\n')) {
    const [, on, path] = /^\S+ \S+ \S+ (\S+) \d+ +(\/.*) \(deleted\)$/.exec(line) ?? [];
    if (on === wanted && path !== undefined && paths.size < mostPaths) paths.add(unescape(path));
  }
  return [...paths].sort();
}

/** The kernel writes a line break in a path as `\012`. */
const unescape = (path: string): BytePath => path.replaceAll('\\012', '\n') as BytePath;

/** Of a process's root directory, as mountinfo has it; undefined: we may not look, or it has ended. */
function rootDevice(process: string): string | undefined {
  return ifThere(() => {
    const { dev } = statSync(`/proc/${process}/root`, { bigint: true });
    // makedev(3) of glibc: 12 and 20 bits of the two numbers, interleaved.
    const major = ((dev >> 8n) & 0xfffn) | ((dev >> 32n) & 0xfffff000n);
    const minor = (dev & 0xffn) | ((dev >> 12n) & 0xffffff00n);
    return `${major}:${minor}`;
  });
}

/** The start of a file of /proc as Latin-1; undefined as `ifThere`. */
function contentOf(path: string): string | undefined {
  return ifThere(() => {
    const descriptor = openSync(path, 'r');
    try {
      const parts: Buffer[] = [];
      for (let size = 0; size < longestFile;) {
        const part = Buffer.alloc(64 << 10);
        const count = readSync(descriptor, part);
        if (count === 0) break;
        parts.push(part.subarray(0, count));
        size += count;
      }
      return fromBuffer(Buffer.concat(parts));
    } finally {
      closeSync(descriptor);
    }
  });
}

/** Processes may end during the search, and others are not ours to read: neither is a failure. */
function ifThere<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (isSystemError(error, 'ENOENT', 'ESRCH', 'EACCES', 'EPERM', 'ENOTCONN', 'ECONNABORTED')) return undefined;
    throw error;
  }
}
