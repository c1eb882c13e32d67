import { readFileSync } from 'node:fs';

/*
 * Who we are. Root of a user namespace (a container, or a user with subordinate ids) owns what belongs to its users,
 * but has none of the privileges that the kernel gives to the machine's root only: trusted.* attributes, device nodes,
 * FUSE passthrough, other owners by an idmapped mount of a FUSE file system (user_namespaces(7)).
 */

/** User 0, here. */
export const isRoot = (): boolean => process.getuid?.() === 0;

/** Root of the machine: user 0 where the numbers of users are the machine's own. */
export const isMachineRoot = (): boolean => isRoot() && hasMachineUsers();

/** The users of our user namespace, as ranges of their numbers in it (user_namespaces(7), /proc/self/uid_map). */
function ownUsers(): { readonly first: number; readonly outside: number; readonly count: number }[] {
  const lines = readFileSync('/proc/self/uid_map', 'latin1').trim().split('\n');
  return lines.map((line) => {
    const [first = 0, outside = 0, count = 0] = line.trim().split(/\s+/).map(Number);
    return { first, outside, count };
  });
}

/** Whether our user namespace has a user of this number. */
export const hasUser = (uid: number): boolean =>
  ownUsers().some(({ first, count }) => uid >= first && uid < first + count);

const allUsers = 2 ** 32 - 1;

let machineUsers: boolean | undefined;
function hasMachineUsers(): boolean {
  return (machineUsers ??= ownUsers().every((range) => range.outside === range.first && range.count === allUsers));
}
