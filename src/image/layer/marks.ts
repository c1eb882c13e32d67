import { basename, components, dirname, display } from '../../base/bytes.js';
import type { BytePath } from '../../base/bytes.js';
import { rootedPath, unsafeArchive } from '../../store/index.js';
import type { TarMember, TreeWriter } from '../../store/index.js';
import { LowerLinks } from './lower-links.js';

const prefix = '.wh.';
const opaqueName = '.wh..wh..opq';
/** aufs kept its own files under such names, and old images have them. */
const aufsPrefix = '.wh..wh.';

/** What a layer says of those below it (OCI image specification, layer.md, "Whiteouts"), as its members come. */
export class LayerMarks {
  readonly whiteouts = new Set<BytePath>();
  readonly opaque = new Set<BytePath>();
  readonly links = new LowerLinks();

  /** Whether a member is a mark, or left to `complete`. */
  readonly take = (path: BytePath, _isFile: boolean, writer: TreeWriter, member: TarMember): boolean => {
    const marked = components(path).find((part) => part.startsWith(prefix));
    if (marked !== undefined) {
      // It takes memory, whether it becomes an entry or not.
      writer.bounds.addEntry(path);
      this.#mark(path, marked);
      return true;
    }
    const named = member.kind === 'link' ? rootedPath(member.target) : undefined;
    const target = named === undefined ? undefined : (this.links.get(named)?.target ?? named);
    this.links.replace(path, member.kind !== 'directory', writer);
    if (target === undefined || named === undefined || writer.has(named)) return false;
    writer.makeWay(path);
    this.links.add({ path, target }, writer);
    return true;
  };

  #mark(path: BytePath, marked: BytePath): void {
    const name = basename(path);
    const parent = dirname(path);
    if (marked !== name) {
      if (marked.startsWith(aufsPrefix)) return;
      throw unsafeArchive(`it holds ${display(path)}, which is below a whiteout`);
    }
    if (name === opaqueName) this.opaque.add(parent);
    else if (!name.startsWith(aufsPrefix)) this.#whiteout(path, parent, name.slice(prefix.length));
  }

  #whiteout(path: BytePath, parent: BytePath, hidden: string): void {
    if (hidden === '' || hidden === '.' || hidden === '..')
      throw unsafeArchive(`it holds ${display(path)}, an unknown kind of whiteout`);
    this.whiteouts.add((parent === '' ? hidden : `${parent}/${hidden}`) as BytePath);
  }
}
