import { isUtf8 } from 'node:buffer';
import { components, isBelow, toBuffer } from '../../base/bytes.js';
import type { BytePath } from '../../base/bytes.js';
import { follow } from './follow.js';
import type { RootReader } from './reader.js';

/** What the sandbox mounts, by the name that the root knows it under. */
export const mountNames = ['proc', 'dev', 'run', 'tmp'] as const;
export type MountName = (typeof mountNames)[number];

/** Where the sandbox mounts in a root. */
export interface MountPoints {
  /** By what is mounted: directories without a symlink on the way. */
  readonly paths: Readonly<Record<MountName, BytePath>>;
  /** Of these, those that do not exist and lie in the root itself. */
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
export function findMountPoints(root: RootReader): MountPoints {
  const paths: Partial<Record<MountName, BytePath>> = {};
  const missing: BytePath[] = [];
  const blocked: MountName[] = [];
  const links: MountName[] = [];
  for (const name of mountNames) {
    const entry = root.entry(name as string as BytePath);
    if (entry?.type === 'symlink') links.push(name);
    else paths[name] = name as string as BytePath;
    if (entry === undefined) missing.push(name as string as BytePath);
    else if (entry.type !== 'symlink' && entry.type !== 'directory') blocked.push(name);
  }
  for (const name of links) {
    const resolved = resolveLink(root, name, Object.values(paths), [paths.proc, paths.dev]);
    paths[name] = resolved?.path ?? (name as string as BytePath);
    if (resolved === undefined) blocked.push(name);
    else if (resolved.missing) missing.push(resolved.path);
  }
  return { paths: paths as MountPoints['paths'], missing, blocked };
}

function resolveLink(
  root: RootReader,
  name: MountName,
  covered: readonly BytePath[],
  filled: readonly (BytePath | undefined)[],
): { path: BytePath; missing: boolean } | undefined {
  const resolved = follow(root, name, covered);
  if (resolved.kind === 'nowhere' || !isUtf8(toBuffer(resolved.path))) return undefined;
  if (resolved.kind === 'covered')
    return filled.includes(resolved.by) ? undefined : { path: resolved.path, missing: false };
  if (resolved.kind === 'found' && resolved.entry.type !== 'directory') return undefined;
  return hidesNeeded(resolved.path) ? undefined : { path: resolved.path, missing: resolved.kind === 'absent' };
}

function hidesNeeded(path: BytePath): boolean {
  return path === '' || needed.includes(path) || neededWhole.some((each) => isBelow(path, each as BytePath));
}

/** Outer ones first, each once: as they can be mounted. */
export function inMountOrder(mountPoints: MountPoints): { readonly name: MountName; readonly path: BytePath }[] {
  const depth = (path: BytePath) => components(path).length;
  const all = mountNames.map((name) => ({ name, path: mountPoints.paths[name] }));
  const first = all.filter(({ path }, i) => all.findIndex((each) => each.path === path) === i);
  return first.sort((a, b) => depth(a.path) - depth(b.path));
}
