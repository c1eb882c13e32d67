import { components, join } from '../../base/bytes.js';
import type { BytePath } from '../../base/bytes.js';
import { limits } from '../../base/limits.js';
import { follow } from './follow.js';
import type { MountPoints } from './mount-points.js';
import type { RootReader } from './reader.js';

/** A directory that a root expects below the sandbox's mounts. */
export interface WantedDirectory {
  readonly path: BytePath;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

/** The directories of tmpfiles.d(5) that a root can have, by descending precedence. */
const configurations = ['etc/tmpfiles.d', 'usr/local/lib/tmpfiles.d', 'usr/lib/tmpfiles.d', 'lib/tmpfiles.d'];
/**
 * A root is untrusted: what is read of it is bounded. What exceeds a limit is ignored, like a line that cannot be
 * parsed.
 */
const most = {
  files: limits.tmpfilesFiles.value,
  bytes: limits.tmpfilesFile.value,
  directories: limits.tmpfilesDirectories.value,
  depth: limits.tmpfilesDepth.value,
  nameBytes: limits.nameLength.value,
};

/** Types of lines that ask for a directory; without btrfs, subvolumes are directories. */
const directoryLine = /^[dDvqQ][!+=~^$-]*$/;

/**
 * The directories below /run and /tmp that the root's own machine would create at boot (tmpfiles.d(5): types d, D, v,
 * q, Q), and /run/lock; parents before children. Other lines, and lines that cannot be parsed are ignored.
 */
export function wantedDirectories(root: RootReader, mountPoints: MountPoints): WantedDirectory[] {
  const wanted = new Map<string, WantedDirectory>();
  const owners = new Owners(root, Object.values(mountPoints.paths));
  for (const text of configurationFiles(root, Object.values(mountPoints.paths))) {
    for (const line of text.split('\n')) {
      const directory = parseLine(line, owners);
      if (directory !== undefined && !wanted.has(directory.path) && wanted.size < most.directories)
        wanted.set(directory.path, directory);
    }
  }
  const lock = 'run/lock' as BytePath;
  if (!wanted.has(lock)) wanted.set(lock, { path: lock, mode: 0o1777, uid: 0, gid: 0 });
  return withParents(wanted).map((directory) => placed(directory, mountPoints));
}

/** A file hides those of its name in later directories; all are read in the order of their names. */
function configurationFiles(root: RootReader, covered: readonly BytePath[]): string[] {
  const files = new Map<string, BytePath>();
  const seen = new Set<BytePath>();
  for (const configuration of configurations) {
    const resolved = follow(root, configuration, covered);
    if (resolved.kind !== 'found' || seen.has(resolved.path)) continue;
    seen.add(resolved.path);
    for (const name of root.names(resolved.path))
      if (name.endsWith('.conf') && !files.has(name)) files.set(name, join(resolved.path, name));
  }
  const names = [...files.keys()].sort().slice(0, most.files);
  return names.flatMap((name) => {
    const resolved = follow(root, files.get(name) ?? '', covered);
    const bytes = resolved.kind === 'found' ? root.read(resolved.path, most.bytes) : undefined;
    return bytes === undefined ? [] : [bytes.toString('latin1')];
  });
}

function parseLine(line: string, owners: Owners): WantedDirectory | undefined {
  const [type = '', path = '', mode = '-', user = '-', group = '-'] = line
    .trim()
    .split(/[ \t]+/)
    .map((field) => field.replace(/^"(.*)"$/, '$1'));
  if (!directoryLine.test(type)) return undefined;
  const inside = pathOf(path);
  const bits = /^[:~]*([0-7]{3,5})$/.exec(mode)?.[1];
  const [uid, gid] = [owners.of('user', user), owners.of('group', group)];
  if (inside === undefined || uid === undefined || gid === undefined) return undefined;
  if (bits === undefined && mode !== '-') return undefined;
  return { path: inside, mode: bits === undefined ? 0o755 : Number.parseInt(bits, 8) & 0o7777, uid, gid };
}

/** Below run/ or tmp/; undefined: elsewhere, or not a path. */
function pathOf(text: string): BytePath | undefined {
  const plain = text
    .replace(/^%t(?=\/)/, '/run')
    .replace(/^%T(?=\/)/, '/tmp')
    .replace(/^\/var\/run\//, '/run/');
  if (!/^\/(run|tmp)\/./.test(plain)) return undefined;
  const names = components(plain as BytePath);
  const isBad = (name: string) => name === '.' || name === '..' || name.length > most.nameBytes || /[%\\\0]/.test(name);
  if (names.length < 2 || names.length > most.depth || names.some(isBad)) return undefined;
  return join(...names);
}

function withParents(wanted: ReadonlyMap<string, WantedDirectory>): WantedDirectory[] {
  const all = new Map<string, WantedDirectory>(wanted);
  for (const { path } of wanted.values()) {
    const names = components(path);
    for (let length = 2; length < names.length; length++) {
      const parent = join(...names.slice(0, length));
      if (!all.has(parent)) all.set(parent, { path: parent, mode: 0o755, uid: 0, gid: 0 });
    }
  }
  return [...all.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
}

function placed(directory: WantedDirectory, { paths }: MountPoints): WantedDirectory {
  const [first, ...names] = components(directory.path);
  return { ...directory, path: join(first === 'tmp' ? paths.tmp : paths.run, ...names) };
}

/** Numbers of a root's users and groups. */
class Owners {
  readonly #known = new Map<string, ReadonlyMap<string, number>>();

  constructor(
    readonly root: RootReader,
    readonly covered: readonly BytePath[],
  ) {}

  /** Undefined: the root has none of this name. */
  of(kind: 'user' | 'group', given: string): number | undefined {
    const name = given.replace(/^:/, '');
    if (name === '-' || name === '' || name === 'root') return 0;
    if (/^\d{1,9}$/.test(name)) return Number(name);
    return this.#table(kind === 'user' ? 'etc/passwd' : 'etc/group').get(name);
  }

  #table(path: string): ReadonlyMap<string, number> {
    let table = this.#known.get(path);
    if (table === undefined) {
      const resolved = follow(this.root, path, this.covered);
      const bytes = resolved.kind === 'found' ? this.root.read(resolved.path, limits.accountFile.value) : undefined;
      const rows = (bytes?.toString('latin1') ?? '').split('\n').map((line) => line.split(':'));
      table = new Map(
        rows.filter(([, , id = '']) => /^\d{1,9}$/.test(id)).map(([name = '', , id]) => [name, Number(id)]),
      );
      this.#known.set(path, table);
    }
    return table;
  }
}
