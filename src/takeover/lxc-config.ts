import { fromText } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';

/** What a container's configuration says of its root, lxc.container.conf(5). */
export type LxcRoot =
  | { readonly kind: 'dir'; readonly path: BytePath }
  /** Trees of an overlay, newest first. */
  | { readonly kind: 'overlay'; readonly trees: readonly BytePath[] }
  /** Of a kind that is not read, or none. */
  | { readonly kind: 'other'; readonly value: string };

export interface LxcConfig {
  readonly root: LxcRoot;
  /** Whether its files belong to the ids of a user namespace. */
  readonly mapped: boolean;
}

/**
 * @param text of the file, as UTF-8
 * @param included what `lxc.include` names: the texts of its files, in their order
 */
export function lxcConfig(text: string, included: (name: string) => readonly string[] = () => []): LxcConfig {
  const values = settings(text, included);
  return { root: rootOf(values.get('lxc.rootfs.path') ?? ''), mapped: (values.get('lxc.idmap') ?? '') !== '' };
}

/** The last value of each key; what is included counts where that is said. */
export function settings(
  text: string,
  included: (name: string) => readonly string[] = () => [],
  values = new Map<string, string>(),
): Map<string, string> {
  for (const line of text.split('\n')) {
    const equals = line.indexOf('=');
    const key = line.slice(0, Math.max(equals, 0)).trim();
    // A comment has no such key.
    if (!/^[a-z][\w.]*$/i.test(key)) continue;
    const value = line
      .slice(equals + 1)
      .trim()
      .replace(/^"(.*)"$/, '$1');
    if (key !== 'lxc.include') values.set(key, value);
    else if (value !== '') for (const each of included(value)) settings(each, included, values);
  }
  return values;
}

/** `dir:PATH`, or a path alone; `overlay:LOWER[:LOWER…]:UPPER`, lowers with the topmost first. */
function rootOf(value: string): LxcRoot {
  if (value.startsWith('/')) return { kind: 'dir', path: fromText(value) };
  if (value.startsWith('dir:/')) return { kind: 'dir', path: fromText(value.slice('dir:'.length)) };
  const [, trees] = /^overlay(?:fs)?:(\/.*)$/.exec(value) ?? [];
  // LXC ends a tree where a colon comes before a slash.
  const parts = trees?.split(/:(?=\/)/) ?? [];
  if (parts.length < 2) return { kind: 'other', value };
  const upper = parts[parts.length - 1] ?? '';
  return { kind: 'overlay', trees: [upper, ...parts.slice(0, -1)].map(fromText) };
}

/** Prime and offset basis of FNV-1a with 64 bits. */
const [prime, basis] = [0x100000001b3n, 0xcbf29ce484222325n];
/** Of a socket's name, without the zero byte that it begins with (unix(7)), and one that LXC keeps free. */
const longestSocketName = 106;

/**
 * The abstract socket that LXC listens on while a container is there, in whichever state (commands_utils.c of LXC,
 * lxc_make_abstract_socket_name).
 */
export function commandSocket(directory: BytePath, container: BytePath): string {
  const name = `${directory}/${container}/command`;
  if (name.length < longestSocketName) return name;
  let hash = basis;
  for (const byte of Buffer.from(`${directory}/${container}`, 'latin1'))
    hash = ((hash ^ BigInt(byte)) * prime) & 0xffff_ffff_ffff_ffffn;
  return `lxc/${hash.toString(16).padStart(16, '0')}/command`;
}
