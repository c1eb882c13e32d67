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

const allUsers = ['0', '0', '4294967295'];

let machineUsers: boolean | undefined;
function hasMachineUsers(): boolean {
  return (machineUsers ??= readFileSync('/proc/self/uid_map', 'latin1').trim().split(/\s+/).join() === allUsers.join());
}
