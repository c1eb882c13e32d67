import { readFileSync, readdirSync, readlinkSync } from 'node:fs';
import type { BytePath } from '../base/bytes.js';
import { isBelow } from '../base/bytes.js';

export interface Holder {
  readonly pid: number;
  readonly command: string;
}

/**
 * Processes that have their root, working directory or an open file at or below a directory, as far as we may read
 * /proc.
 */
export async function holdersOf(directory: BytePath): Promise<Holder[]> {
  const within = (path: string) => path === directory || isBelow(path as BytePath, directory);
  const holders: Holder[] = [];
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    if (!linksOf(`/proc/${name}`).some(within)) continue;
    holders.push({ pid: Number(name), command: readOr(() => readFileSync(`/proc/${name}/comm`, 'utf8').trim(), '?') });
  }
  return Promise.resolve(holders);
}

function linksOf(process: string): string[] {
  const link = (name: string) => readOr(() => readlinkSync(`${process}/${name}`, 'latin1'), '');
  const descriptors = readOr(() => readdirSync(`${process}/fd`), []);
  return [link('cwd'), link('root'), link('exe'), ...descriptors.map((name) => link(`fd/${name}`))];
}

/** Processes may end during the search, and those of other users are not readable: neither is a failure. */
function readOr<T>(read: () => T, otherwise: T): T {
  try {
    return read();
  } catch {
    return otherwise;
  }
}
