import { join } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import type { Tree } from '../store/index.js';

/**
 * Moves what a container has in a directory into another one, and removes the directory. Directories that both have
 * become one; of the base's, those in which nothing is left go.
 * @param before the base's view, before the update
 * @returns names that are taken there: what they were moved as is beside them
 */
export function moveContent(container: Tree, before: Tree, from: BytePath, to: BytePath): BytePath[] {
  const taken: BytePath[] = [];
  const move = (directory: BytePath, into: BytePath): void => {
    for (const name of container.names(directory)) {
      const [here, there] = [join(directory, name), join(into, name)];
      const isDirectory = container.stat(here)?.isDirectory() === true;
      if (isDirectory && isLeftOver(container, before, here)) container.remove(here);
      else if (container.stat(there) === undefined || leadsTo(container, there, here)) replace(container, here, there);
      else if (isDirectory && container.stat(there)?.isDirectory() === true) move(here, there);
      else if (leadsTo(container, here, there)) container.unlink(here);
      else {
        taken.push(there);
        container.rename(here, join(into, container.freeName(into, name)), 'noreplace');
      }
    }
    container.removeDirectory(directory);
  };
  move(from, to);
  return taken;
}

/** @param there nothing, or a symlink to what takes its place */
function replace(container: Tree, here: BytePath, there: BytePath): void {
  if (container.stat(there) !== undefined) container.unlink(there);
  container.rename(here, there, 'noreplace');
}

/** A directory of the base in which nothing is but such directories. */
function isLeftOver(container: Tree, before: Tree, path: BytePath): boolean {
  if (before.stat(path)?.isDirectory() !== true) return false;
  return container.names(path).every((name) => {
    const each = join(path, name);
    return container.stat(each)?.isDirectory() === true && isLeftOver(container, before, each);
  });
}

/** Whether a symlink names another path as a whole, as those do that packages left where a program was before. */
function leadsTo(container: Tree, link: BytePath, path: BytePath): boolean {
  return container.stat(link)?.isSymbolicLink() === true && container.readLink(link).toString('latin1') === `/${path}`;
}
