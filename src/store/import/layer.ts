import { basename, components, dirname, display } from '../../base/bytes.js';
import type { BytePath } from '../../base/bytes.js';
import type { ImportOptions } from './directory.js';
import { importTar } from './tar.js';
import { unsafe } from './tar/errors.js';
import type { TreeWriter } from './tree-writer.js';

/** The marks in a layer's archive. Paths of the tree. */
export interface LayerMarks {
  /** Names that hide those in the layers below. */
  readonly whiteouts: ReadonlySet<BytePath>;
  /** Opaque directories. */
  readonly opaque: ReadonlySet<BytePath>;
  /** Directories without a member in the archive: they only lead to others. The tree has them with plain attributes. */
  readonly implied: ReadonlySet<BytePath>;
}

const prefix = '.wh.';
const opaqueName = '.wh..wh..opq';

/**
 * Writes the content of a layer into a fresh tree, and gives its whiteouts (OCI image specification, layer.md,
 * "Whiteouts"). What would be an overlay mark is escaped.
 * @throws LaminaError as `importTar`; refused: a whiteout of an impossible name, a device
 */
export async function importLayer(archive: BytePath, tree: BytePath, options: ImportOptions): Promise<LayerMarks> {
  const whiteouts = new Set<BytePath>();
  const opaque = new Set<BytePath>();
  const special = (path: BytePath, isFile: boolean, writer: TreeWriter): boolean => {
    const marked = components(path).find((part) => part.startsWith(prefix));
    if (marked === undefined) return false;
    const name = basename(path).slice(prefix.length);
    const parent = dirname(path);
    const possible = isFile && components(parent).every((part) => !part.startsWith(prefix));
    if (
      !possible ||
      (basename(path) !== opaqueName && (name === '' || name === '.' || name === '..' || name.startsWith(prefix)))
    )
      throw unsafe(`it holds ${display(path)}, an unknown kind of whiteout`);
    writer.bounds.addEntry(path);
    writer.ensureDirectory(parent);
    if (basename(path) === opaqueName) opaque.add(parent);
    else whiteouts.add((parent === '' ? name : `${parent}/${name}`) as BytePath);
    return true;
  };
  const writer = await importTar(archive, tree, options, { special, devices: 'refuse' });
  return { whiteouts, opaque, implied: new Set(writer.implied()) };
}
