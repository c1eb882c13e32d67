import { readFileSync, readlinkSync } from 'node:fs';

/*
 * Who we are. Root of a user namespace (a container, or a user with subordinate ids) owns what belongs to its users,
 * but has none of the privileges that the kernel gives to the machine's root only: trusted.* attributes, device nodes,
 * FUSE passthrough, other owners by an idmapped mount of a FUSE file system (user_namespaces(7)).
 */

const root = process.getuid?.() === 0;

/** User 0, here. This program never changes its user. */
export const isRoot = (): boolean => root;

/** The owner that files of this process have, and the only one that they can have without root. */
export const ownIds = (): { readonly uid: number; readonly gid: number } => ({
  uid: process.getuid?.() ?? 0,
  gid: process.getgid?.() ?? 0,
});

/** Root of the machine: user 0, with CAP_SYS_ADMIN, in no user namespace. */
export const isMachineRoot = (): boolean => isRoot() && hasOwnMachinePrivileges();

/** The users of our user namespace, as ranges of their numbers in it (user_namespaces(7), /proc/self/uid_map). */
function ownUsers(): { readonly first: number; readonly count: number }[] {
  const lines = readFileSync('/proc/self/uid_map', 'latin1').trim().split('\n');
  return lines.map((line) => {
    const [first = 0, , count = 0] = line.trim().split(/\s+/).map(Number);
    return { first, count };
  });
}

/** Whether our user namespace has a user of this number. */
export const hasUser = (uid: number): boolean =>
  ownUsers().some(({ first, count }) => uid >= first && uid < first + count);

/** The number of the machine's own user namespace (include/linux/proc_ns.h, PROC_USER_INIT_INO). */
const machineNamespace = 'user:[4026531837]';
/** capabilities(7): what trusted.* attributes and most mounts take. */
const capSysAdmin = 21n;

/**
 * Whether a process of this user namespace and with these capabilities (/proc/PID/status) has what the kernel gives to
 * root of the machine only. A user namespace may have all users under their own numbers, and root of a container may
 * have few capabilities without one: the numbers of users say nothing.
 */
export function hasMachinePrivileges(userNamespace: string, status: string): boolean {
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0';
  return userNamespace === machineNamespace && ((BigInt(`0x${effective}`) >> capSysAdmin) & 1n) === 1n;
}

let machinePrivileges: boolean | undefined;
const hasOwnMachinePrivileges = (): boolean =>
  (machinePrivileges ??= hasMachinePrivileges(
    readlinkSync('/proc/self/ns/user'),
    readFileSync('/proc/self/status', 'latin1'),
  ));
