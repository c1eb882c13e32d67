import { basename, dirname, display, fromText } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { usage } from '../base/errors.js';
import { absolutePath } from '../platform/command-line.js';

/** Where a root is that is to be taken over. */
export type RootName =
  | { readonly kind: 'path'; readonly path: BytePath }
  | { readonly kind: 'podman'; readonly container: string }
  /** `directory`: of LXC's containers; undefined: LXC's own setting. */
  | { readonly kind: 'lxc'; readonly container: BytePath; readonly directory: BytePath | undefined };

/** Transports of images, containers-transports(5). */
const images = /^(oci|oci-archive|docker|docker-archive|containers-storage):/;

/** @throws LaminaError usage: it names nothing, or an image */
export function rootName(text: string): RootName {
  if (text.startsWith('podman:')) return { kind: 'podman', container: nameIn(text, 'podman:') };
  if (text.startsWith('lxc:')) return lxcName(text);
  const [, transport] = images.exec(text) ?? [];
  if (transport !== undefined)
    throw usage(`'${display(fromText(text))}' names an image, not the root of a container`, {
      hint: `import it with lamina base import, or update a base to it; a directory of that name is ./${display(fromText(text))}`,
    });
  if (text === '') throw usage('an empty string is not a root', { hint: 'give the path of a directory or of a tar' });
  return { kind: 'path', path: absolutePath(text) };
}

function lxcName(text: string): RootName {
  const name = fromText(nameIn(text, 'lxc:'));
  const container = basename(name);
  const isName = container !== '' && container !== '.' && container !== '..';
  if (isName && container === name) return { kind: 'lxc', container, directory: undefined };
  if (isName && name.startsWith('/')) return { kind: 'lxc', container, directory: dirname(name) };
  throw noContainer(text, 'write lxc:NAME, or lxc:/DIR/NAME for a container in another directory than that of LXC');
}

function nameIn(text: string, prefix: string): string {
  const name = text.slice(prefix.length);
  if (name !== '' && !name.includes('\0')) return name;
  throw noContainer(text, `write ${prefix}NAME; a directory of that name is ./${display(fromText(text))}`);
}

function noContainer(text: string, hint: string) {
  return usage(`'${display(fromText(text))}' names no container`, { hint });
}
