import { isUtf8 } from 'node:buffer';
import { components, isBelow, toBuffer } from '../../base/bytes.js';
import type { BytePath } from '../../base/bytes.js';
import { follow } from './follow.js';
import type { RootReader } from './reader.js';

/** What the sandbox mounts, by the name that the root knows it under. */
export const mountNames = ['proc', 'dev', 'run', 'tmp'] as const;
export type MountName = (typeof mountNames)[number];

/** Where the sandbox mounts in a root. */
export interface Places {
  /** By what is mounted: directories without a symlink on the way. */
  readonly of: Readonly<Record<MountName, BytePath>>;
  /** Of these, those that are not there and lie in the root itself. */
  readonly missing: readonly BytePath[];
  /** Names that exist but do not lead to a directory that can be mounted over. */
  readonly blocked: readonly MountName[];
}

/** Directories that a root needs: a link to one of them, or above, must not hide it below a mount. */
const needed = ['bin', 'sbin', 'lib', 'lib32', 'lib64', 'libx32', 'usr', 'etc', 'var', 'home', 'root', 'opt', 'srv'];
const neededWhole = ['bin', 'sbin', 'lib', 'lib64', 'usr', 'etc'];

/**
 * Finds where a root expects the sandbox's mounts: at the directory of that name, or where a symlink of that name leads
 * inside the root. Where that cannot be mounted on, the name itself is the place, and it is blocked.
 */
export function placesOf(root: RootReader): Places {
  const of: Partial<Record<MountName, BytePath>> = {};
  const missing: BytePath[] = [];
  const blocked: MountName[] = [];
  const links: MountName[] = [];
  for (const name of mountNames) {
    const entry = root.entry(name as string as BytePath);
    if (entry?.type === 'symlink') links.push(name);
    else of[name] = name as string as BytePath;
    if (entry === undefined) missing.push(name as string as BytePath);
    else if (entry.type !== 'symlink' && entry.type !== 'directory') blocked.push(name);
  }
  for (const name of links) {
    const led = leadsTo(root, name, Object.values(of), [of.proc, of.dev]);
    of[name] = led?.path ?? (name as string as BytePath);
    if (led === undefined) blocked.push(name);
    else if (led.missing) missing.push(led.path);
  }
  return { of: of as Places['of'], missing, blocked };
}

function leadsTo(
  root: RootReader,
  name: MountName,
  covered: readonly BytePath[],
  filled: readonly (BytePath | undefined)[],
): { path: BytePath; missing: boolean } | undefined {
  const led = follow(root, name, covered);
  if (led.kind === 'nowhere' || !isUtf8(toBuffer(led.path))) return undefined;
  if (led.kind === 'covered') return filled.includes(led.by) ? undefined : { path: led.path, missing: false };
  if (led.kind === 'found' && led.entry.type !== 'directory') return undefined;
  return hidesNeeded(led.path) ? undefined : { path: led.path, missing: led.kind === 'absent' };
}

function hidesNeeded(path: BytePath): boolean {
  return path === '' || needed.includes(path) || neededWhole.some((each) => isBelow(path, each as BytePath));
}

/** Outer ones first, each once: as they can be mounted. */
export function inMountOrder(places: Places): { readonly name: MountName; readonly path: BytePath }[] {
  const depth = (path: BytePath) => components(path).length;
  const all = mountNames.map((name) => ({ name, path: places.of[name] }));
  const first = all.filter(({ path }, i) => all.findIndex((each) => each.path === path) === i);
  return first.sort((a, b) => depth(a.path) - depth(b.path));
}
