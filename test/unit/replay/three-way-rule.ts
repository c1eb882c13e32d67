import type { ConflictChoice } from '../../../src/package/settings.js';
import type { Node, Plain } from './layered.js';

/**
 * The rule of layers in plain terms, path by path, sharing no code with what it judges: what the container has as the
 * base had it becomes the layer's; what the layer leaves alone stays; text that both changed in different lines is
 * merged; of anything else that both changed the container's stays and the layer's is put beside it, or as `conflict`
 * says.
 */
export function threeWay(base: Plain, layer: Plain, own: Plain, conflict: ConflictChoice) {
  const rule = new Rule(base, layer, own, conflict);
  rule.children('');
  return { container: new Map([...rule.result].sort(([a], [b]) => (a < b ? -1 : 1))), conflicts: rule.conflicts };
}

const below = (path: string, directory: string) => path.startsWith(`${directory}/`);

/**
 * Content of the tests' texts is five lines, of which the sides change the first and the last only; what holds a NUL is
 * no text.
 */
function mergeText(b: string, o: string, l: string): string | undefined {
  if ([b, o, l].some((text) => text.includes('\0'))) return undefined;
  const lines = [b, o, l].map((text) => text.split('\n'));
  const merged = lines[0]!.map((line, i) => {
    const [mine, theirs] = [lines[1]![i]!, lines[2]![i]!];
    return mine === line ? theirs : theirs === line || theirs === mine ? mine : undefined;
  });
  return merged.includes(undefined) ? undefined : merged.join('\n');
}

const isDirectory = (node: Node | undefined) => node?.type === 'directory';
const isFile = (node: Node | undefined) => node?.type === 'file';
const content = (node: Node | undefined) =>
  node === undefined
    ? ''
    : node.type === 'file'
      ? `f${node.content}`
      : node.type === 'symlink'
        ? `l${node.target}`
        : 'd';
const mode = (node: Node) => (node.type === 'symlink' ? 0o777 : node.mode);
const same = (a: Node | undefined, b: Node | undefined) =>
  a === undefined || b === undefined ? a === b : content(a) === content(b) && mode(a) === mode(b);
const plainNode = (node: Node): Node =>
  node.type === 'file' ? { type: 'file', mode: node.mode, content: node.content } : node;

class Rule {
  readonly result = new Map<string, Node>();
  readonly conflicts = new Set<string>();

  constructor(
    readonly base: Plain,
    readonly layer: Plain,
    readonly own: Plain,
    readonly conflict: ConflictChoice,
  ) {}

  #names(tree: Plain, directory: string): string[] {
    return [...tree.keys()].filter(
      (path) =>
        (directory === '' || below(path, directory)) &&
        !path.slice(directory === '' ? 0 : directory.length + 1).includes('/'),
    );
  }

  /** Copies a subtree, to another name perhaps. */
  #take(tree: Plain, from: string, to = from): void {
    for (const [path, node] of tree)
      if (path === from || below(path, from)) this.result.set(to + path.slice(from.length), plainNode(node));
  }

  children(directory: string): void {
    for (const path of new Set([this.base, this.layer, this.own].flatMap((tree) => this.#names(tree, directory))))
      this.#path(path);
  }

  #path(path: string): void {
    const [b, l, o] = [this.base.get(path), this.layer.get(path), this.own.get(path)];
    if (isDirectory(b) && isDirectory(l)) this.#bothDirectories(path, b, l, o);
    else if (isDirectory(l)) this.#newDirectory(path, b, o);
    else if (isDirectory(b)) this.#oldDirectory(path, l, o);
    else if (same(b, l)) this.#take(this.own, path);
    else this.#plain(path, b, l, o);
  }

  #bothDirectories(path: string, b: Node, l: Node, o: Node | undefined): void {
    if (!isDirectory(o)) {
      // What the layer does below has no place.
      this.#take(this.own, path);
      return;
    }
    this.result.set(path, { type: 'directory', mode: this.#mode(path, b, l, o) });
    this.children(path);
  }

  #mode(path: string, b: Node, l: Node, o: Node): number {
    if (mode(b) === mode(l)) return mode(o);
    if (mode(b) === mode(o) || mode(l) === mode(o)) return mode(l);
    this.conflicts.add(path);
    return this.conflict === 'theirs' ? mode(l) : mode(o);
  }

  /** The layer has a directory where the base had none. */
  #newDirectory(path: string, b: Node | undefined, o: Node | undefined): void {
    if (isDirectory(o)) {
      this.result.set(path, plainNode(o));
      this.children(path);
    } else if (same(o, b)) this.#take(this.layer, path);
    else this.#clash(path, o);
  }

  /** Neither the container's is as the base had it, nor can it be merged. */
  #clash(path: string, o: Node | undefined): void {
    this.conflicts.add(path);
    if (this.conflict === 'theirs' && !isDirectory(o)) this.#take(this.layer, path);
    else {
      this.#take(this.own, path);
      if (o !== undefined && (this.conflict === 'keep' || this.conflict === 'theirs'))
        this.#take(this.layer, path, `${path}.lamina-new`);
    }
  }

  /** The base had a directory, and the layer something else, or nothing. */
  #oldDirectory(path: string, l: Node | undefined, o: Node | undefined): void {
    if (isDirectory(o)) {
      const left = this.#prune(path);
      if (left.length > 0) {
        for (const each of left) this.result.set(each, plainNode(this.own.get(each)!));
        if (l === undefined) return;
        this.conflicts.add(path);
        if (this.conflict !== 'ours') this.#take(this.layer, path, `${path}.lamina-new`);
      } else if (l !== undefined) this.#take(this.layer, path);
    } else if (l === undefined) this.#take(this.own, path);
    else this.#plain(path, o === undefined ? { type: 'directory', mode: 0 } : undefined, l, o);
  }

  /** What stays of a directory of the container whose counterpart goes, with the directory itself. */
  #prune(path: string): string[] {
    const left = this.#names(this.own, path).flatMap((at) => {
      const [b, o] = [this.base.get(at), this.own.get(at)!];
      if (isDirectory(b) && isDirectory(o)) return this.#prune(at);
      const goes = same(b, o) || (this.conflict === 'theirs' && b !== undefined && !isDirectory(b) && !isDirectory(o));
      if (goes) return [];
      if (b !== undefined && !isDirectory(b)) this.conflicts.add(at);
      return [...this.own.keys()].filter((each) => each === at || below(each, at));
    });
    return left.length > 0 ? [path, ...left] : [];
  }

  /** No directory on the side of the base and the layer, which differ. */
  #plain(path: string, b: Node | undefined, l: Node | undefined, o: Node | undefined): void {
    if (same(o, b)) {
      if (l !== undefined) this.result.set(path, plainNode(l));
    } else if (o === undefined || isDirectory(o)) this.#goneOrDirectory(path, b, l, o);
    else if (l === undefined) {
      this.conflicts.add(path);
      if (this.conflict !== 'theirs') this.result.set(path, plainNode(o));
    } else this.#both(path, b, l, o);
  }

  #goneOrDirectory(path: string, b: Node | undefined, l: Node | undefined, o: Node | undefined): void {
    if (l === undefined) {
      this.#take(this.own, path);
      if (o !== undefined) this.conflicts.add(path);
    } else if (o === undefined && content(b) === content(l)) return;
    else if (isDirectory(o) && content(b) === content(l) && b !== undefined) {
      // Its attributes alone were changed: there is no content to put anywhere.
      this.#clash(path, o);
    } else this.#clash(path, o);
  }

  #both(path: string, b: Node | undefined, l: Node, o: Node): void {
    const pick = (x: number, mine: number, theirs: number) => (x === mine ? theirs : mine);
    const attributes = b === undefined || isDirectory(b) ? mode(o) : pick(mode(b), mode(o), mode(l));
    const put = (node: Node, bits: number) => {
      this.result.set(path, node.type === 'file' ? { type: 'file', mode: bits, content: node.content } : node);
    };
    if (content(o) === content(l)) put(o, attributes);
    else if (b !== undefined && content(b) === content(l)) put(o, attributes);
    else if (b !== undefined && content(b) === content(o)) put(l, o.type === l.type ? attributes : mode(l));
    else {
      const merged =
        b?.type === 'file' && o.type === 'file' && l.type === 'file'
          ? mergeText(b.content, o.content, l.content)
          : undefined;
      if (merged !== undefined) {
        put({ type: 'file', mode: 0, content: merged }, attributes);
        return;
      }
      this.conflicts.add(path);
      if (this.conflict === 'theirs') put(l, isFile(o) && isFile(l) ? attributes : mode(l));
      else {
        put(o, o.type === 'file' ? attributes : mode(o));
        if (this.conflict === 'keep') this.result.set(`${path}.lamina-new`, plainNode(l));
      }
    }
  }
}
