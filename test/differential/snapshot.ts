import { createHash } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';

import { readXattrsSync } from '../../src/platform/native.js';
import type { FileStats } from '../../src/platform/native.js';
import { walk } from '../../src/platform/walk.js';

/** What only the operations set: real clocks are far above. */
const longAgo = 1_000_000n;

function describe(at: Buffer, stats: FileStats, links: Map<bigint, string>, path: string, counts: boolean): string {
  const attributes = [...readXattrsSync(at)]
    .filter(([name]) => !name.startsWith('trusted.overlay.'))
    .map(([name, value]) => `${name}=${value.toString('hex')}`)
    .sort();
  const common = `${stats.mode.toString(8)} ${stats.uid}:${stats.gid} ${attributes.join(',')}`;
  const time = stats.mtimeNs < longAgo * 1_000_000_000n ? ` mtime=${stats.mtimeNs}` : '';
  if (stats.isDirectory()) return `${common}${time}`;
  const first = links.get(stats.ino) ?? path;
  links.set(stats.ino, first);
  const linked = ` first=${first}${counts ? ` of ${stats.nlink}` : ''}`;
  if (stats.isSymbolicLink()) return `${common} -> ${readlinkSync(at, 'latin1')}${time}${linked}`;
  if (!stats.isFile()) return `${common} dev=${stats.rdev}${time}${linked}`;
  const hash = createHash('sha1').update(readFileSync(at)).digest('hex').slice(0, 12);
  return `${common} size=${stats.size} ${hash}${time}${linked}`;
}

/**
 * A tree as lines that compare: all that a user of a mount can see, but for clocks, inode numbers and directory sizes.
 * `counts`: link counts, too.
 */
export function snapshot(root: string, counts = true): string[] {
  const links = new Map<bigint, string>();
  return [...walk(Buffer.from(root))].map(
    ({ path, at, stats }) => `${path || '.'}: ${describe(at, stats, links, path, counts)}`,
  );
}
