import { display, fromText } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { usage } from '../base/errors.js';

/** Transports of containers-transports(5) whose images are files. */
const ofFiles = ['oci', 'oci-archive', 'docker-archive', 'dir'] as const;

export type FileTransport = (typeof ofFiles)[number];
export type RemoteTransport = 'docker' | 'containers-storage';

/** Where an image is, as containers-transports(5) names it. */
export type ImageName =
  | { readonly transport: FileTransport; readonly path: BytePath; readonly tag: string | undefined }
  | { readonly transport: RemoteTransport; readonly reference: string };

/** The name of an image; undefined: it is the path of something else. @throws LaminaError usage: malformed */
export function imageName(source: string): ImageName | undefined {
  const colon = source.indexOf(':');
  const [transport, rest] = [source.slice(0, Math.max(colon, 0)), source.slice(colon + 1)];
  const kind = ofFiles.find((each) => each === transport);
  if (kind !== undefined) return fileName(kind, rest);
  if (transport === 'docker') {
    if (rest.startsWith('//') && rest.length > 2) return { transport, reference: rest };
    throw usage(`'${display(source)}' names no image`, { hint: 'write docker://REGISTRY/NAME:TAG' });
  }
  if (transport !== 'containers-storage') return undefined;
  if (rest === '') throw usage(`'${display(source)}' names no image`, { hint: 'write containers-storage:NAME:TAG' });
  return { transport, reference: rest };
}

function fileName(transport: FileTransport, rest: string): ImageName {
  // A path with a colon cannot be named, as in containers-transports(5).
  const end = transport === 'dir' ? -1 : rest.indexOf(':');
  const [path, tag] = end < 0 ? [rest, undefined] : [rest.slice(0, end), rest.slice(end + 1)];
  if (path === '' || tag === '')
    throw usage(`'${display(`${transport}:${rest}`)}' names no image`, {
      hint: `write ${transport}:PATH, or ${transport}:PATH:TAG`,
    });
  return { transport, path: fromText(path), tag };
}
