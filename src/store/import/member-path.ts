import { components, display } from '../../base/bytes.js';
import type { BytePath } from '../../base/bytes.js';
import { limits } from '../../base/limits.js';
import { beyond, unsafe } from './tar/errors.js';

/**
 * The path of a member below the tree.
 * @throws LaminaError refused: an absolute name but the root's, one with `..`, or one beyond the limits "path depth"
 * and "name length"
 */
export function memberPath(name: BytePath): BytePath {
  if (name.length > limits.pathDepth.value)
    throw beyond(limits.pathDepth, `it holds a name of ${name.length} bytes with its directories`);
  if (name.startsWith('/') && /[^./]|\.\./.test(name)) throw unsafe(`it holds the absolute name ${display(name)}`);
  if (name.includes('\0')) throw unsafe(`it holds the name ${display(name)}, which has a NUL in it`);
  const parts = components(name).filter((part) => part !== '.');
  if (parts.some((part) => part === '..')) throw unsafe(`it holds the name ${display(name)}, which leads out of it`);
  const long = parts.find((part) => part.length > limits.nameLength.value);
  if (long !== undefined) throw beyond(limits.nameLength, `it holds a name of ${long.length} bytes`);
  return parts.join('/') as BytePath;
}

/**
 * The path that a hard link, or a member of an image layer, names: an absolute one begins at the tree, as for umoci,
 * podman and containerd.
 * @throws LaminaError as `memberPath`
 */
export const rootedPath = (name: BytePath): BytePath => memberPath(name.replace(/^\/+/, '') as BytePath);

/** What the kernel takes (PATH_MAX without the NUL). */
const longestTarget = 4095;

/** @throws LaminaError refused: no system has a symlink with this target */
export function checkTarget(path: BytePath, target: string): void {
  const says = `its symlink ${display(path)} has`;
  if (target === '') throw unsafe(`${says} no target`);
  if (target.includes('\0')) throw unsafe(`${says} a NUL in its target`);
  if (target.length > longestTarget)
    throw unsafe(`${says} a target of ${target.length} bytes; the longest possible one has ${longestTarget}`);
}
