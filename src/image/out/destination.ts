import { display, fromText } from '../../base/bytes.js';
import type { BytePath } from '../../base/bytes.js';
import { usage } from '../../base/errors.js';
import { isImageName } from '../docker-name.js';

export type ArchiveCompression = 'none' | 'gzip' | 'zstd';

/** Where an export goes, by the names of containers-transports(5). */
export type Destination =
  /** A plain archive of the root. */
  | { readonly kind: 'tar'; readonly path: BytePath; readonly compression: ArchiveCompression }
  | { readonly kind: 'oci'; readonly path: BytePath; readonly tag: string }
  | { readonly kind: 'oci-archive'; readonly path: BytePath; readonly tag: string }
  | { readonly kind: 'docker-archive'; readonly path: BytePath; readonly reference: string | undefined }
  /** `reference` as skopeo has it: what is behind the colon. */
  | { readonly kind: 'docker' | 'containers-storage'; readonly reference: string };

const endings: readonly (readonly [string, ArchiveCompression])[] = [
  ['.tar', 'none'],
  ['.tar.gz', 'gzip'],
  ['.tgz', 'gzip'],
  ['.tar.zst', 'zstd'],
];

const hint =
  'give FILE.tar, FILE.tar.gz, FILE.tar.zst, oci:DIR[:TAG], oci-archive:FILE[:TAG], docker-archive:FILE[:NAME[:TAG]], docker://REF, containers-storage:REF or store-archive:FILE';

/** The tag of an image for which none is given. */
const usualTag = 'latest';
/** A reference in an index (OCI image specification, considerations.md, "EBNF"). */
const tagPattern = /^[A-Za-z0-9]+(?:(?:[-._:@+]|--)[A-Za-z0-9]+)*(?:\/[A-Za-z0-9]+(?:(?:[-._:@+]|--)[A-Za-z0-9]+)*)*$/;

/**
 * @param absolute makes a path absolute
 * @throws LaminaError usage: no transport that is known, no path, an impossible tag
 */
export function parseDestination(text: string, absolute: (path: string) => BytePath): Destination {
  const transport = /^([a-z][a-z-]+):/.exec(text)?.[1];
  const rest = transport === undefined ? text : text.slice(transport.length + 1);
  switch (transport) {
    case 'oci':
    case 'oci-archive': {
      const { path, name = usualTag } = pathAndName(text, rest);
      if (!tagPattern.test(name)) throw usage(`'${display(fromText(name))}' is not a tag of an image`, { hint });
      return { kind: transport, path: absolute(path), tag: name };
    }
    case 'docker-archive': {
      const { path, name } = pathAndName(text, rest);
      if (name !== undefined && !isImageName(name))
        throw usage(`'${display(fromText(name))}' is not a name of an image`, { hint: 'as NAME or NAME:TAG' });
      return { kind: transport, path: absolute(path), reference: name };
    }
    case 'docker':
      if (!/^\/\/[^/\s]/.test(rest)) throw usage(`${shownText(text)} names no image of a registry`, { hint });
      return { kind: transport, reference: rest };
    case 'containers-storage':
      if (rest === '') throw usage(`${shownText(text)} names no image`, { hint });
      return { kind: transport, reference: rest };
    default:
      return tarDestination(text, absolute);
  }
}

function tarDestination(text: string, absolute: (path: string) => BytePath): Destination {
  const ending = endings.find(([end]) => text.endsWith(end) && !text.endsWith(`/${end}`) && text !== end);
  if (ending === undefined) throw usage(`${shownText(text)} is not a known destination`, { hint });
  return { kind: 'tar', path: absolute(text), compression: ending[1] };
}

/** The first colon ends the path, as in containers-transports(5). */
function pathAndName(text: string, rest: string): { path: string; name: string | undefined } {
  const colon = rest.indexOf(':');
  const path = colon < 0 ? rest : rest.slice(0, colon);
  const name = colon < 0 ? undefined : rest.slice(colon + 1);
  if (path === '') throw usage(`${shownText(text)} has no path`, { hint });
  if (name === '') throw usage(`${shownText(text)} has nothing behind its last colon`, { hint });
  return { path, name };
}

const shownText = (text: string) => `'${display(fromText(text))}'`;
