import { limits } from '../../base/limits.js';
import { readFollowed } from './follow.js';
import type { RootReader } from './reader.js';

/** What a root says of itself, by key (os-release(5)); nothing where it has no such file. */
export function osReleaseOf(root: RootReader): ReadonlyMap<string, string> {
  const most = limits.accountFile.value;
  const bytes = readFollowed(root, 'etc/os-release', most) ?? readFollowed(root, 'usr/lib/os-release', most);
  const values = new Map<string, string>();
  for (const line of bytes?.toString('utf8').split('\n') ?? []) {
    const [, key, value = ''] = /^([A-Z_]+)=(.*)$/.exec(line) ?? [];
    if (key !== undefined) values.set(key, value.replace(/^(["'])(.*)\1$/, '$2'));
  }
  return values;
}
