import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { lstatSync, openSync, closeSync, readSync, readdirSync, readlinkSync } from 'node:fs';
import type { BigIntStats } from 'node:fs';

/** What a tree holds, timestamps left out: path (latin1) → all that can be told of it, as one line. */
export type Snapshot = Map<string, string>;

const kinds: readonly [bigint, string][] = [
  [0o040000n, 'directory'],
  [0o100000n, 'file'],
  [0o120000n, 'symlink'],
  [0o020000n, 'character device'],
  [0o060000n, 'block device'],
  [0o010000n, 'fifo'],
  [0o140000n, 'socket'],
];

function kindOf(stats: BigIntStats): string {
  const kind = kinds.find(([bits]) => (stats.mode & 0o170000n) === bits);
  if (kind === undefined) throw new Error(`unknown file type in mode ${stats.mode.toString(8)}`);
  return kind[1];
}

const buffer = Buffer.alloc(1 << 20);

function hashOf(file: Buffer): string {
  const hash = createHash('sha1');
  const descriptor = openSync(file, 'r');
  try {
    for (;;) {
      const length = readSync(descriptor, buffer);
      if (length === 0) return hash.digest('hex');
      hash.update(buffer.subarray(0, length));
    }
  } finally {
    closeSync(descriptor);
  }
}

/** All extended attributes of the tree: path → its `name=value` lines. getfattr writes odd bytes as octal escapes. */
function xattrsOf(root: string): Map<string, string> {
  const dump = execFileSync('getfattr', ['-R', '-h', '-d', '-m', '-', '-e', 'hex', '.'], {
    cwd: root,
    encoding: 'latin1',
    maxBuffer: 1 << 28,
  });
  const found = new Map<string, string>();
  for (const block of dump.split('\n\n')) {
    const [head, ...values] = block.trim().split('\n');
    if (head === undefined || head === '') continue;
    const name = head
      .slice('# file: '.length)
      .replace(/\\(\d{3})/g, (_, octal: string) => String.fromCharCode(parseInt(octal, 8)));
    found.set(name === '.' ? '' : `/${name}`, values.sort().join(' '));
  }
  return found;
}

/**
 * A line for every entry below `root`, its own included as ''. Hard links are told by the first path of their group.
 */
export function snapshot(root: string, xattrs = xattrsOf(root)): Snapshot {
  const links = new Map<string, string>();
  const contents = new Map<string, string>();
  const result: Snapshot = new Map();

  function content(stats: BigIntStats, kind: string, path: Buffer): string {
    if (kind === 'symlink') return readlinkSync(path, 'latin1');
    if (kind.endsWith('device')) return stats.rdev.toString();
    if (kind !== 'file') return '';
    const inode = `${stats.dev.toString()}:${stats.ino.toString()}`;
    const hash = contents.get(inode) ?? hashOf(path);
    if (stats.nlink > 1n) contents.set(inode, hash);
    return `${stats.size.toString()} ${hash}`;
  }

  function visit(name: string): void {
    const path = Buffer.from(`${root}${name}`, 'latin1');
    const stats = lstatSync(path, { bigint: true });
    const kind = kindOf(stats);
    const parts = [kind, (stats.mode & 0o7777n).toString(8), `${stats.uid.toString()}:${stats.gid.toString()}`];
    parts.push(content(stats, kind, path), xattrs.get(name) ?? '');
    if (kind !== 'directory' && stats.nlink > 1n) {
      const inode = `${stats.dev.toString()}:${stats.ino.toString()}`;
      if (!links.has(inode)) links.set(inode, name);
      parts.push(`one of ${stats.nlink.toString()} names of ${links.get(inode) ?? ''}`);
    }
    result.set(name, parts.join(' | '));
    if (kind !== 'directory') return;
    for (const entry of readdirSync(path, 'latin1').sort()) visit(`${name}/${entry}`);
  }

  visit('');
  return result;
}

/** The paths where two trees differ, each with what either holds. */
export function differences(left: Snapshot, right: Snapshot): Map<string, string> {
  const found = new Map<string, string>();
  for (const path of new Set([...left.keys(), ...right.keys()])) {
    const is = left.get(path) ?? 'nothing';
    const other = right.get(path) ?? 'nothing';
    if (is !== other) found.set(path, `${is}  <>  ${other}`);
  }
  return found;
}
