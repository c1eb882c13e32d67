import { display, toText } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { notFound, refused, usage } from '../base/errors.js';
import { limits, overLimit } from '../base/limits.js';
import { hasUser, isMachineRoot, isRoot } from '../platform/privileges.js';
import { follow } from './root/follow.js';
import type { RootReader } from './root/reader.js';

/** Who a command runs as. */
export interface SandboxUser {
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
  /** As the root's own passwd has them, as texts. Without a NUL. */
  readonly name: string;
  readonly home: string;
}

const greatestId = 2 ** 32 - 2;

/**
 * A sandbox without root has root as its only user, or those of a store with subordinate ids.
 * @throws LaminaError refused: the sandbox does not have this user, its group, or one of its other groups
 */
export function checkUserIsThere({ uid, gid, groups }: SandboxUser, given: string): void {
  if (isMachineRoot()) return;
  const isThere = (id: number) => (isRoot() ? hasUser(id) : id === 0);
  const ids = [uid, gid, ...groups];
  if (ids.every(isThere)) return;
  throw refused(
    isRoot()
      ? `user ${given} has number ${Math.max(...ids)} among its own and its groups', beyond the subordinate ids of this store`
      : `the container cannot run as user ${given}: without subordinate ids root is its only user`,
    {
      code: 'USER_NOT_MAPPED',
      hint: isRoot()
        ? 'give the owner of the store more ids in /etc/subuid and /etc/subgid, or run it with --user root'
        : 'run it with --user 0:0, or use a store that was made with init --subordinate-ids',
    },
  );
}

/**
 * The user that `--user` names: a name or number of the root's own, `:` and a group where it is not the user's. As for
 * podman, an empty user is root, and an empty group the user's own.
 * @throws LaminaError usage, notFound: a name that the root does not have; refused, OVER_LIMIT: its passwd or group is
 * too large
 */
export function userOf(root: RootReader, given: string, covered: readonly BytePath[]): SandboxUser {
  const [first = '', second, ...more] = given.split(':');
  const [user, group] = [first || '0', second || undefined];
  if (more.length > 0 || (first === '' && group === undefined))
    throw usage(`--user ${display(given)}: not a user`, { hint: 'give a name or number, or USER:GROUP' });
  const groups = rowsOf(root, 'etc/group', covered);
  const row = rowsOf(root, 'etc/passwd', covered).find(([name, , id]) => name === user || id === user);
  const uid = row === undefined ? idOf(user) : idOf(row[2] ?? '');
  if (uid === undefined) throw missing('user', user, 'etc/passwd');
  const [name = user] = row ?? [];
  const gid = group === undefined ? (idOf(row?.[3] ?? '0') ?? 0) : groupOf(groups, group);
  const member = groups.filter(([, , , members = '']) => members.split(',').includes(name));
  const others = group === undefined ? member.flatMap(([, , id = '']) => idOf(id) ?? []) : [];
  return { uid, gid, groups: others, name: toText(name as BytePath), home: toText((row?.[5] ?? '/') as BytePath) };
}

function groupOf(groups: readonly (readonly string[])[], given: string): number {
  const id = groups.find(([name]) => name === given)?.[2] ?? given;
  const gid = idOf(id);
  if (gid === undefined) throw missing('group', given, 'etc/group');
  return gid;
}

function missing(kind: string, name: string, file: string) {
  return notFound(`the container has no ${kind} '${name}'`, {
    code: 'NO_USER',
    hint: `give its number, or one of those in its /${file}`,
  });
}

function idOf(text: string): number | undefined {
  return /^\d{1,10}$/.test(text) && Number(text) <= greatestId ? Number(text) : undefined;
}

/** As Latin-1: names are bytes. A line with a NUL is ignored: its fields cannot be passed to a program. */
function rowsOf(root: RootReader, path: string, covered: readonly BytePath[]): string[][] {
  const resolved = follow(root, path, covered);
  const bytes = resolved.kind === 'found' ? root.read(resolved.path, limits.accountFile.value) : undefined;
  if (bytes === undefined && resolved.kind === 'found' && resolved.entry.type === 'file')
    throw overLimit(
      limits.accountFile,
      `/${path} of the container is too large to search for users`,
      'leave --user out, or make the file shorter',
    );
  const lines = (bytes?.toString('latin1') ?? '').split('\n');
  return lines.filter((line) => !line.includes('\0')).map((line) => line.split(':'));
}
