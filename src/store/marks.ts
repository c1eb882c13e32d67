import { isMachineRoot } from '../platform/privileges.js';
import type { MarkNamespace } from './plan-writer.js';

/** Which extended attributes are overlay marks here: `trusted` for root of the machine, `user` for everybody else. */
export const markNamespace = (): MarkNamespace => (isMachineRoot() ? 'trusted' : 'user');

/**
 * True of an attribute by which overlayfs records something of its own. An escaped one ("trusted.overlay.overlay.x") is
 * content: a mark of an overlay that lies inside ours (Documentation/filesystems/overlayfs.rst, "Nesting overlayfs
 * mounts").
 */
export function isMark(name: string, namespace: MarkNamespace): boolean {
  const prefix = `${namespace}.overlay.`;
  return name.startsWith(prefix) && !name.startsWith(`${prefix}overlay.`);
}

/** The name under which an attribute of content is stored: a mark in it is escaped, never interpreted. */
export function escapeMark(name: string, namespace: MarkNamespace): string {
  const prefix = `${namespace}.overlay.`;
  return name.startsWith(prefix) ? `${prefix}overlay.${name.slice(prefix.length)}` : name;
}

/** The name of an attribute of content in a root that shows the tree: `escapeMark` undone. */
export function unescapeMark(name: string, namespace: MarkNamespace): string {
  const escaped = `${namespace}.overlay.overlay.`;
  return name.startsWith(escaped) ? `${namespace}.overlay.${name.slice(escaped.length)}` : name;
}
