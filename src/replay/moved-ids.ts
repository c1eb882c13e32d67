import { display } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { limits } from '../base/limits.js';
import { warn } from '../base/this-command.js';
import type { Entry, Listing, View } from '../changeset/index.js';
import { movedIds } from '../records/index.js';
import type { MovedId } from '../records/index.js';
import { Tree } from '../store/index.js';

/** Accounts that have another number after an update than before. @param before, after the base's root, mounted */
export function movedAccounts({ before, after }: { readonly before: BytePath; readonly after: BytePath }): MovedId[] {
  const [was, is] = [new Tree(before), new Tree(after)];
  return (
    [
      ['user', 'etc/passwd'],
      ['group', 'etc/group'],
    ] as const
  ).flatMap(([what, path]) => movedIds(what, accounts(was, path as BytePath), accounts(is, path as BytePath)));
}

/** Undefined: there is no such file, or it is none that anybody could read in a moment. */
function accounts(tree: Tree, path: BytePath): Buffer | undefined {
  if (!tree.hasDirectories(path)) return undefined;
  const stats = tree.stat(path);
  return stats?.isFile() === true && stats.size <= limits.mergedRecords.value ? tree.read(path) : undefined;
}

/**
 * Warns of what a container holds of accounts whose numbers are others now: files keep the number, and belong to nobody
 * or to somebody else.
 * @param storages of the container, newest first @param views of the base
 */
export function warnOfMoved(
  container: string,
  moved: readonly MovedId[],
  storages: readonly Listing[],
  views: { readonly before: View; readonly after: View },
): void {
  for (const each of moved) {
    const left = new Set<BytePath>();
    const hidden = new Set<BytePath>();
    for (const listing of storages)
      for (const entry of listing.entries()) {
        if (!hidden.has(entry.path) && isLeft(entry, each, views)) left.add(entry.path);
        hidden.add(entry.path);
      }
    const [first] = [...left].sort();
    if (first !== undefined) warn(movedText(container, each, { first, count: left.size }));
  }
}

/** Whether an entry of a container still has the former number; what comes from the base, the update changes itself. */
function isLeft(entry: Entry, moved: MovedId, { before, after }: { before: View; after: View }): boolean {
  const owner = (of: Entry | undefined) => (moved.what === 'user' ? of?.uid : of?.gid);
  if (entry.type === 'whiteout' || owner(entry) !== moved.from) return false;
  return owner(before.get(entry.path)?.entry) !== moved.from || owner(after.get(entry.path)?.entry) !== moved.to;
}

function movedText(
  container: string,
  { what, name, from, to, heir }: MovedId,
  { first, count }: { readonly first: BytePath; readonly count: number },
): string {
  const [change, flag] = what === 'user' ? ['chown -h', '-uid'] : ['chgrp -h', '-gid'];
  const who = heir === undefined ? 'nobody' : `'${display(heir.slice(0, 100))}'`;
  const files = count === 1 ? '1 path of its own keeps' : `${String(count)} paths of its own keep`;
  return (
    `container '${container}': ${what} '${display(name.slice(0, 100))}' has the number ${String(to)} now, and ${files} ${String(from)}, ` +
    `which is ${who}: /${display(first)}; to change them: lamina run ${container} -- find / -xdev ${flag} ${String(from)} -exec ${change} ${String(to)} {} +`
  );
}
