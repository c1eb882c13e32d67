import { closeSync, constants, openSync } from 'node:fs';
import { dirname, display, treeRoot } from '../../base/bytes.js';
import type { BytePath } from '../../base/bytes.js';
import { must, refused } from '../../base/errors.js';
import type { Entry, Resolved, View } from '../../changeset/index.js';
import { copyFileData } from '../../platform/native.js';
import { openFlags } from '../../platform/open-flags.js';
import { markNamespace, reach, unescapeMark, unsafeArchive } from '../../store/index.js';
import type { MemberAttributes, TreeWriter, UnpackBounds } from '../../store/index.js';
import type { LowerLink } from './lower-links.js';
import type { LayerMarks } from './marks.js';

/** The layers below one, composed. */
export interface Lower {
  readonly view: View;
  /** Those of the view, in its order. */
  readonly trees: readonly BytePath[];
}

/**
 * Writes what a layer says of those below it into its tree, in overlay form: whiteouts and opaque directories, the
 * attributes of directories that it only leads through, and files below to which it has hard links. What has no effect
 * there, such as a whiteout of what does not exist, leaves no trace.
 * @param lower undefined: it is the lowest
 * @throws LaminaError refused: it writes through a symlink of a layer below, a hard link leads to no file, or the files
 * that it links are too large together
 */
export async function completeLayer(
  { writer, unpack }: { readonly writer: TreeWriter; readonly unpack: Pick<UnpackBounds, 'addCopied'> },
  marks: LayerMarks,
  lower: Lower | undefined,
): Promise<void> {
  const completion = new Completion(writer, unpack, marks, lower);
  for (const link of marks.links.values()) await completion.link(link);
  for (const path of [...marks.whiteouts].sort()) completion.whiteout(path);
  for (const path of marks.opaque) completion.opaque(path);
  for (const path of writer.implied()) completion.implied(path);
}

class Completion {
  /** Where files of the layers below were copied to, by what distinguishes their inodes. */
  readonly #copies = new Map<string, BytePath>();

  constructor(
    readonly writer: TreeWriter,
    readonly unpack: Pick<UnpackBounds, 'addCopied'>,
    readonly marks: LayerMarks,
    readonly lower: Lower | undefined,
  ) {}

  /** What the layers below show at a path, as far as this one lets it be seen when `path` itself is left out. */
  #below(path: BytePath): Resolved | undefined {
    if (this.lower === undefined) return undefined;
    for (let at = path; at !== treeRoot;) {
      at = dirname(at);
      const { opaque, whiteouts, links } = this.marks;
      if (opaque.has(at) || whiteouts.has(at) || links.has(at)) return undefined;
      if (this.writer.has(at) && !this.writer.isDirectory(at)) return undefined;
    }
    return this.lower.view.get(path);
  }

  whiteout(path: BytePath): void {
    const hidden = this.#below(path);
    if (hidden === undefined) return;
    if (!this.writer.has(path)) this.writer.whiteout(path);
    else if (this.writer.isDirectory(path) && hidden.entry.type === 'directory') this.writer.opaque(path);
  }

  opaque(path: BytePath): void {
    if (path === treeRoot) this.#opaqueRoot();
    else if (this.writer.has(path) && !this.writer.isDirectory(path)) return;
    else if (this.#below(path)?.entry.type === 'directory') this.writer.opaque(path);
  }

  /** An overlay merges the roots of all layers, whatever their marks are: so each name hides what is below it. */
  #opaqueRoot(): void {
    for (const name of this.lower?.view.names(treeRoot) ?? []) {
      const path = name as BytePath;
      if (!this.writer.has(path)) this.writer.whiteout(path);
      else if (this.writer.isDirectory(path) && this.lower?.view.get(path)?.entry.type === 'directory')
        this.writer.opaque(path);
    }
  }

  implied(path: BytePath): void {
    if (this.marks.whiteouts.has(path)) return;
    const below = this.#below(path);
    if (below === undefined) return;
    if (below.entry.type !== 'directory')
      throw refused(
        `the layer cannot be imported: it writes below ${display(path)}, which is a ${below.entry.type} of a layer below`,
        {
          code: 'UNSAFE_ARCHIVE',
          hint: 'build the image again: a layer must name the directory that its files are in',
        },
      );
    this.writer.directory(path, attributesOf(below.entry));
  }

  async link({ path, target }: LowerLink): Promise<void> {
    if (this.writer.has(path)) throw unsafeArchive(`${display(path)} is a hard link, but has members below it`);
    const found = this.lower?.view.get(target);
    if (found === undefined || found.entry.type === 'directory')
      throw unsafeArchive(
        `${display(path)} is a hard link to ${display(target)}, which is not a file in it or in the layers below`,
      );
    const inode = this.lower?.view.identity(found) ?? target;
    const copied = this.#copies.get(inode);
    if (copied !== undefined) {
      this.writer.link(path, copied);
      return;
    }
    await this.#copy(path, found);
    this.#copies.set(inode, path);
    for (const name of this.lower?.view.links(target) ?? []) if (this.#isLeft(name)) this.writer.link(name, path);
  }

  /** Whether the layers below still show a name that this one does not have. */
  #isLeft(name: BytePath): boolean {
    const { links, whiteouts } = this.marks;
    return !this.writer.has(name) && !links.has(name) && !whiteouts.has(name) && this.#below(name) !== undefined;
  }

  async #copy(path: BytePath, { entry, data }: Resolved): Promise<void> {
    const attributes = attributesOf(entry);
    if (entry.type === 'symlink') this.writer.symlink(path, entry.target, attributes);
    else if (entry.type === 'file')
      await this.#copyFile(path, { ...must(data, 'the content of a file'), size: entry.size }, attributes);
    else this.writer.node(path, nodeTypes[entry.type] ?? constants.S_IFSOCK, deviceOf(entry), attributes);
  }

  async #copyFile(
    path: BytePath,
    { size, ...data }: { layer: number; path: BytePath; size: number },
    attributes: MemberAttributes,
  ): Promise<void> {
    const tree = must(this.lower?.trees[data.layer], 'the tree of a layer');
    this.unpack.addCopied(size);
    const from = reach(tree, data.path, (at) => openSync(at, openFlags.read));
    try {
      const to = this.writer.beginFile(path);
      try {
        await copyFileData(from, to);
      } catch (error) {
        closeSync(to);
        throw error;
      }
      this.writer.finishFile(path, to, attributes);
    } finally {
      closeSync(from);
    }
  }
}

const nodeTypes: Readonly<Record<string, number>> = {
  character: constants.S_IFCHR,
  block: constants.S_IFBLK,
  fifo: constants.S_IFIFO,
};

const deviceOf = ({ rdevMajor, rdevMinor }: Entry) => ({ major: rdevMajor, minor: rdevMinor });

/** As a member of an archive would have them: the writer escapes marks again. */
function attributesOf({ mode, uid, gid, mtimeNs, xattrs }: Entry): MemberAttributes {
  const namespace = markNamespace();
  const content = new Map([...xattrs].map(([name, value]) => [unescapeMark(name, namespace), Buffer.from(value)]));
  return { mode, uid, gid, mtimeNs, xattrs: content };
}
