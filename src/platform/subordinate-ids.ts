import { userInfo } from 'node:os';
import { textIfThere } from './text.js';

/** A range of ids that a user may use for other users. */
interface Range {
  readonly first: number;
  readonly count: number;
}

const greatestId = 2 ** 32 - 2;

/** Lines of subuid(5): NAME or number, first, count. Others are ignored, as by newuidmap(1). */
export function rangesOf(text: string, user: { readonly name: string; readonly id: number }): Range[] {
  return text.split('\n').flatMap((line) => {
    const [, owner, first, count] = /^([^:]+):(\d{1,10}):(\d{1,10})$/.exec(line.trim()) ?? [];
    if (owner !== user.name && owner !== `${user.id}`) return [];
    const range = { first: Number(first), count: Number(count) };
    return range.count > 0 && range.first + range.count - 1 <= greatestId ? [range] : [];
  });
}

/** The first of `count` ids above all ranges of subuid(5) or subgid(5), and above those of ordinary users. */
export function freeIds(text: string, count: number): number | undefined {
  let first = 100_000;
  for (const [, start, size] of text.matchAll(/^[^:\n]+:(\d{1,10}):(\d{1,10})$/gm))
    first = Math.max(first, Number(start) + Number(size));
  return first + count - 1 <= greatestId ? first : undefined;
}

/** A line for /etc/subuid and /etc/subgid that gives a user ids which nobody else has. */
export function lineThatGivesIds(name: string): string {
  const count = 65_536;
  const first = freeIds(`${textIfThere('/etc/subuid')}\n${textIfThere('/etc/subgid')}`, count);
  return `${name}:${first ?? 'FIRST'}:${count}`;
}

/** The arguments of newuidmap(1): 0 is `own`, and the ranges follow from 1 on. Undefined where there is none. */
export function mapOf(own: number, ranges: readonly Range[]): string | undefined {
  if (ranges.length === 0) return undefined;
  let inside = 1;
  const rows = ranges.map(({ first, count }) => {
    const row = `${inside} ${first} ${count}`;
    inside += count;
    return row;
  });
  return [`0 ${own} 1`, ...rows].join(' ');
}

export interface IdMaps {
  readonly users: string;
  readonly groups: string;
}

/** The name of this user; undefined: it has none (passwd(5)). newuidmap(1) and fusermount3(1) refuse such a user. */
export function ownName(): string | undefined {
  try {
    return userInfo().username;
  } catch (error) {
    // uv_os_get_passwd() of Node: no such user.
    if (error instanceof Error && 'code' in error && error.code === 'ERR_SYSTEM_ERROR') return undefined;
    throw error;
  }
}

/**
 * The maps of this user's own user namespace; undefined where /etc/subuid or /etc/subgid gives no ids, or the user has
 * no name.
 */
export function ownMaps(): IdMaps | undefined {
  const name = ownName();
  if (name === undefined) return undefined;
  const { uid, gid } = userInfo();
  const user = { name, id: uid };
  const users = mapOf(uid, rangesOf(textIfThere('/etc/subuid'), user));
  const groups = mapOf(gid, rangesOf(textIfThere('/etc/subgid'), user));
  return users === undefined || groups === undefined ? undefined : { users, groups };
}
