import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmdirSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fromText } from '../../../src/base/bytes.js';
import { makeOperation } from '../../../src/journal/operation.js';
import type { RecordedOperation } from '../../../src/journal/operation.js';
import type { ReplayOperation } from '../../../src/replay/replay.js';

/** A directory that writes down what is done in it, as the driver's journal does. */
export class Journalled {
  readonly operations: ReplayOperation[] = [];

  constructor(readonly root: string) {}

  #at(path: string): string {
    return join(this.root, path);
  }

  #record(operation: RecordedOperation['operation'], path: string, second = ''): void {
    this.operations.push(makeOperation(operation, fromText(path), fromText(second)));
  }

  has(path: string): boolean {
    return existsSync(this.#at(path)) || this.isLink(path);
  }

  isLink(path: string): boolean {
    return lstatSync(this.#at(path), { throwIfNoEntry: false })?.isSymbolicLink() === true;
  }

  write(path: string, content: string): void {
    if (this.has(path)) this.#record('truncate', path);
    else this.#record('create', path);
    writeFileSync(this.#at(path), content);
    this.#record('write', path);
  }

  /** As editors and package managers do: written beside, renamed into place. */
  replace(path: string, content: string, mode = 0o644): void {
    const temporary = `${path}.tmp`;
    this.write(temporary, content);
    this.chmod(temporary, mode);
    this.rename(temporary, path);
  }

  mkdir(path: string, mode = 0o755): void {
    mkdirSync(this.#at(path));
    chmodSync(this.#at(path), mode);
    this.#record('mkdir', path);
  }

  symlink(target: string, path: string): void {
    symlinkSync(target, this.#at(path));
    this.#record('symlink', path, target);
  }

  link(path: string, to: string): void {
    linkSync(this.#at(path), this.#at(to));
    this.#record('link', path, to);
  }

  chmod(path: string, mode: number): void {
    chmodSync(this.#at(path), mode);
    this.#record('chmod', path);
  }

  rename(path: string, to: string): void {
    renameSync(this.#at(path), this.#at(to));
    this.#record('rename', path, to);
  }

  unlink(path: string): void {
    unlinkSync(this.#at(path));
    this.#record('unlink', path);
  }

  rmdir(path: string): void {
    rmdirSync(this.#at(path));
    this.#record('rmdir', path);
  }

  /** rm -rf */
  remove(path: string): void {
    if (lstatSync(this.#at(path)).isDirectory()) {
      for (const name of readdirSync(this.#at(path))) this.remove(`${path}/${name}`);
      this.rmdir(path);
    } else this.unlink(path);
  }
}

/**
 * Every path below `root` with what is there: "d 755", "f 644 content", "l target"; names of one file share a number.
 */
export function pictureOf(root: string): Record<string, string> {
  const picture: Record<string, string> = {};
  const groups = new Map<number, string>();
  const visit = (path: string) => {
    for (const name of readdirSync(join(root, path)).sort()) {
      const below = path === '' ? name : `${path}/${name}`;
      const at = join(root, below);
      const stats = lstatSync(at);
      const mode = (stats.mode & 0o7777).toString(8);
      if (stats.isDirectory()) {
        picture[below] = `d ${mode}`;
        visit(below);
        continue;
      }
      if (!groups.has(stats.ino)) groups.set(stats.ino, below);
      const link = stats.nlink > 1 ? ` =${groups.get(stats.ino) ?? ''}` : '';
      picture[below] =
        (stats.isSymbolicLink() ? `l ${readlinkSync(at)}` : `f ${mode} ${readFileSync(at, 'utf8')}`) + link;
    }
  };
  visit('');
  return picture;
}
