import { statSync } from 'node:fs';
import { display, toBuffer, toText } from '../../base/bytes.js';
import type { BytePath } from '../../base/bytes.js';
import { failed, isSystemError, messageOf, usage } from '../../base/errors.js';
import { absolutePath } from '../../platform/command-line.js';
import { holdPath } from '../../platform/held.js';
import type { Held } from '../../platform/held.js';
import type { ImportOptions } from '../../store/index.js';
import { noSource } from '../errors.js';
import type { Platform } from '../platform.js';
import { requireSkopeo } from '../skopeo.js';
import type { FileTransport, ImageName } from '../source-name.js';
import { openDockerArchive } from './docker-archive.js';
import { ImageFiles } from './files.js';
import { openDirectory, openLayout } from './layout.js';
import type { OpenedImage } from './opened.js';
import { openRegistry, openStorage } from './remote.js';
import { linksIn, unpackArchive } from './unpack.js';

export interface OpenRequest {
  /** As it was given, for people. */
  readonly called: string;
  /** Undefined: that of this machine. */
  readonly wanted: Platform | undefined;
  /** A path of the transaction, where nothing is yet, for what is unpacked or fetched. */
  readonly layout: BytePath;
  readonly options: Pick<ImportOptions, 'signal' | 'maxBytes'>;
}

/** What an image is named by, held: what its path leads to later does not matter. */
export interface HeldImage {
  readonly name: ImageName;
  readonly held: Held | undefined;
}

/** @throws LaminaError notFound: there is no such file, or no skopeo; usage: it is of another kind */
export async function withImageName<T>(
  name: ImageName,
  called: string,
  work: (image: HeldImage) => Promise<T>,
): Promise<T> {
  if (!('path' in name)) {
    requireSkopeo(called);
    return work({ name, held: undefined });
  }
  const held = hold(name.transport, absolutePath(toText(name.path)));
  try {
    return await work({ name, held });
  } finally {
    held.close();
  }
}

const kinds: Readonly<Record<FileTransport, 'directory' | 'file'>> = {
  oci: 'directory',
  dir: 'directory',
  'oci-archive': 'file',
  'docker-archive': 'file',
};

function hold(transport: FileTransport, path: BytePath): Held {
  const what = transport === 'oci' ? 'OCI image layout' : transport === 'dir' ? 'image' : 'archive';
  let held: Held;
  try {
    held = holdPath(path);
  } catch (error) {
    if (isSystemError(error, 'ENOENT', 'ENOTDIR')) throw noSource(path, what);
    if (isSystemError(error)) throw failed(`cannot read ${display(path)}: ${messageOf(error)}`, { cause: error });
    throw error;
  }
  const stats = statSync(toBuffer(held.at));
  if (kinds[transport] === 'directory' ? stats.isDirectory() : stats.isFile()) return held;
  held.close();
  throw usage(`${display(path)} is not a ${kinds[transport]}, which ${transport}: requires`, {
    hint: 'oci: and dir: name directories, oci-archive: and docker-archive: files',
  });
}

/** Opens an image and checks its descriptions. @throws LaminaError: see the transports */
export async function openImage({ name, held }: HeldImage, request: OpenRequest): Promise<OpenedImage> {
  const { called, wanted, layout, options } = request;
  if (!('path' in name)) {
    const remote = { called, wanted, layout, signal: options.signal };
    return name.transport === 'docker' ? openRegistry(name.reference, remote) : openStorage(name.reference, remote);
  }
  if (held === undefined) throw failed('internal error: an image is not held', { code: 'INTERNAL' });
  switch (name.transport) {
    case 'oci':
      return openLayout(new ImageFiles(held.at, called), name.tag, wanted);
    case 'dir':
      return openDirectory(new ImageFiles(held.at, called), wanted);
    case 'oci-archive':
      return openLayout(await unpackArchive(held.at, layout, { ...options, calledAs: called }), name.tag, wanted);
    case 'docker-archive': {
      const files = await unpackArchive(held.at, layout, { ...options, calledAs: called });
      return openDockerArchive(files, name.tag, wanted, linksIn(layout));
    }
  }
}
