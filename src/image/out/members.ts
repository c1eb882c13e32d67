import { basename, components, dirname, display, treeRoot } from '../../base/bytes.js';
import type { BytePath } from '../../base/bytes.js';
import { must, refused } from '../../base/errors.js';
import type { Entry, Place, Resolved, View } from '../../changeset/index.js';
import { Within } from '../../changeset/within.js';

/** A member of an archive, as a view shows it. */
export type Member =
  | { readonly kind: 'entry'; readonly path: BytePath; readonly entry: Entry; readonly data: Place | undefined }
  /** Another name of the inode of an earlier member. */
  | { readonly kind: 'link'; readonly path: BytePath; readonly entry: Entry; readonly to: BytePath }
  /** Hides what the layers below have under this name. */
  | { readonly kind: 'whiteout'; readonly path: BytePath }
  /** Hides what the layers below have in this directory. */
  | { readonly kind: 'opaque'; readonly path: BytePath };

/** Names of whiteouts (OCI image specification, layer.md, "Whiteouts"). */
const whiteoutPrefix = '.wh.';
const opaqueName = '.wh..wh..opq';

/** The path of a member in the archive. */
export function memberName(member: Member): BytePath {
  const { path } = member;
  if (member.kind === 'opaque') return (path === '' ? opaqueName : `${path}/${opaqueName}`) as BytePath;
  if (member.kind !== 'whiteout') return path;
  const directory = dirname(path);
  return `${directory === '' ? '' : `${directory}/`}${whiteoutPrefix}${basename(path)}` as BytePath;
}

/** What members leave out, because an archive cannot hold it. */
export interface LeftOut {
  sockets: number;
}

/**
 * All that a view shows, names in byte order, directories before what is in them.
 * @param inLayer it is to be a layer of an image
 * @throws LaminaError refused: a name that means a whiteout in a layer
 */
export function* allMembers(view: View, leftOut: LeftOut, inLayer: boolean): Generator<Member, void, undefined> {
  const names = new LinkNames(view);
  for (const resolved of view.walk()) {
    const member = names.member(resolved);
    if (inLayer) refuseWhiteoutName(resolved.path);
    if (member === undefined) leftOut.sockets += 1;
    else yield member;
  }
}

/**
 * The newest tree of a view as a layer of an image. Such a layer has neither redirects nor metacopies, and a hard link
 * leads to a member of the same layer: what such entries show is written out, and of a group of hard links either all
 * names or none.
 * @param below the same view without its newest tree; undefined: there is nothing
 * @throws LaminaError refused: a name that means a whiteout in a layer
 */
export function* layerMembers(
  view: View,
  below: View | undefined,
  leftOut: LeftOut,
): Generator<Member, void, undefined> {
  const changes = new LayerChanges(view, below);
  const names = new LinkNames(view);
  for (const path of changes.inOrder()) {
    if (changes.whiteouts.has(path)) {
      yield { kind: 'whiteout', path };
      continue;
    }
    const member = names.member(must(view.get(path), `the entry at ${display(path)}`));
    if (member === undefined) {
      leftOut.sockets += 1;
      continue;
    }
    refuseWhiteoutName(path);
    yield member;
    if (changes.opaque.has(path)) yield { kind: 'opaque', path };
  }
}

/** Whether the newest tree of a view holds nothing but a root that is as below. */
export function addsNothing(view: View, below: View): boolean {
  if (must(view.stack[0], 'the newest tree').size > 1) return false;
  const [root, lower] = [view, below].map((each) => must(each.get(treeRoot), 'the root of a tree').entry);
  return sameDirectory(must(root, 'a root'), must(lower, 'a root'));
}

function sameDirectory(a: Entry, b: Entry): boolean {
  if (a.mode !== b.mode || a.uid !== b.uid || a.gid !== b.gid || a.mtimeNs !== b.mtimeNs) return false;
  if (a.xattrs.size !== b.xattrs.size) return false;
  return [...a.xattrs].every(([name, value]) => {
    const other = b.xattrs.get(name);
    return other !== undefined && Buffer.compare(value, other) === 0;
  });
}

function refuseWhiteoutName(path: BytePath): void {
  if (!basename(path).startsWith(whiteoutPrefix)) return;
  throw refused(`/${display(path)} has a name that means a whiteout in a layer of an image`, {
    code: 'WHITEOUT_NAME',
    hint: 'rename it, or export a plain archive: FILE.tar',
  });
}

/** Which paths a layer of an image must have. */
class LayerChanges {
  readonly #paths = new Set<BytePath>();
  readonly whiteouts = new Set<BytePath>();
  /** Directories of which the layers below show nothing. */
  readonly opaque = new Set<BytePath>();
  readonly #hiding = new Set<BytePath>();
  readonly #within = new Within((path) => this.#hiding.has(path));

  constructor(
    readonly view: View,
    readonly below: View | undefined,
  ) {
    const [newest] = view.stack;
    for (const entry of must(newest, 'the newest tree').entries()) this.#add(entry);
    for (const path of [...this.#paths]) this.#addLinks(path);
    for (const path of [...this.#paths]) this.#addParents(path);
    for (const path of this.#hiding) if (this.#hidesSomething(path)) this.opaque.add(path);
    for (const path of [...this.whiteouts])
      if (below?.get(path) === undefined || this.#isHidden(path)) this.whiteouts.delete(path);
  }

  #add({ path, type, opaque, redirect }: Entry): void {
    if (type === 'whiteout') {
      this.whiteouts.add(path);
      return;
    }
    this.#paths.add(path);
    if (type !== 'directory' || (!opaque && redirect === '')) return;
    this.#hiding.add(path);
    if (redirect !== '') for (const shown of this.view.walk(path)) this.#paths.add(shown.path);
  }

  #addLinks(path: BytePath): void {
    const names = this.view.links(path);
    if (names.length > 1) for (const name of names) this.#paths.add(name);
  }

  /** A directory without a member of its own would get attributes by chance. */
  #addParents(path: BytePath): void {
    for (let at = path; at !== treeRoot;) {
      at = dirname(at);
      if (this.#paths.has(at)) return;
      this.#paths.add(at);
    }
  }

  #hidesSomething(path: BytePath): boolean {
    return this.below !== undefined && this.below.names(path).length > 0 && !this.#isHidden(path);
  }

  /** Whether a directory above hides the layers below. */
  #isHidden(path: BytePath): boolean {
    return path !== treeRoot && this.#within.at(dirname(path));
  }

  /** Directories before what is in them, whiteouts before the other names of a directory, names in byte order. */
  inOrder(): BytePath[] {
    const key = (path: BytePath) => {
      const names = components(path);
      const last = names.length - 1;
      return names.map((name, at) => `\0${at === last && this.whiteouts.has(path) ? '\x01' : '\x02'}${name}`).join('');
    };
    const keyed = [...this.#paths, ...this.whiteouts].map((path) => ({ path, key: key(path) }));
    keyed.sort((a, b) => (a.key < b.key ? -1 : 1));
    return keyed.map(({ path }) => path);
  }
}

/** Of inodes with several names the first is an entry, the others are links to it. */
class LinkNames {
  readonly #first = new Map<string, BytePath>();

  constructor(readonly view: View) {}

  /** Undefined: a socket, for which there is no member. */
  member(resolved: Resolved): Member | undefined {
    const { path, entry, data } = resolved;
    if (entry.type === 'socket') return undefined;
    const identity = this.view.identity(resolved);
    const first = identity === undefined ? undefined : this.#first.get(identity);
    if (first !== undefined) return { kind: 'link', path, entry, to: first };
    if (identity !== undefined) this.#first.set(identity, path);
    return { kind: 'entry', path, entry, data: data ?? this.#dataOfOther(resolved) };
  }

  /** A metacopy's content is looked up by name: another name of the inode may lead to it. */
  #dataOfOther({ path, entry }: Resolved): Place | undefined {
    if (entry.type !== 'file') return undefined;
    for (const name of this.view.links(path)) {
      const data = this.view.get(name)?.data;
      if (data !== undefined) return data;
    }
    return undefined;
  }
}
