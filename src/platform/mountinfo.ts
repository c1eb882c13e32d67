import { readFile } from 'node:fs/promises';
import type { BytePath } from '../base/bytes.js';
import { failed } from '../base/errors.js';

/** A line of /proc/PID/mountinfo, proc_pid_mountinfo(5). Paths are byte paths. */
export interface MountEntry {
  readonly id: number;
  readonly parent: number;
  readonly major: number;
  readonly minor: number;
  /** The directory of the file system that is the mount's root. */
  readonly root: BytePath;
  readonly mountPoint: BytePath;
  readonly options: readonly string[];
  /** `shared:2`, `master:1`, … */
  readonly propagation: readonly string[];
  readonly type: string;
  readonly source: BytePath;
  readonly superOptions: readonly string[];
}

/** Parses the file's bytes, read as latin1. */
export function parseMountInfo(text: string): MountEntry[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map(parseLine);
}

function parseLine(line: string): MountEntry {
  const fields = line.split(' ');
  const separator = fields.indexOf('-', 6);
  const [id, parent, device, root, mountPoint, options] = fields;
  const [type, source, superOptions] = fields.slice(separator + 1);
  const [major, minor] = (device ?? '').split(':');
  if (separator < 0 || options === undefined || minor === undefined || superOptions === undefined) {
    throw failed(`cannot read the mount table: unexpected line '${line}'`, { code: 'MOUNTINFO' });
  }
  return {
    id: Number(id),
    parent: Number(parent),
    major: Number(major),
    minor: Number(minor),
    root: unescape(root),
    mountPoint: unescape(mountPoint),
    options: options.split(','),
    propagation: fields.slice(6, separator),
    type: unescape(type),
    source: unescape(source),
    superOptions: unescape(superOptions).split(','),
  };
}

/** The kernel writes space, tab, newline, backslash (and `#`) as a backslash and three octal digits. */
function unescape(field: string | undefined): BytePath {
  const decoded = (field ?? '').replace(/\\([0-3][0-7]{2})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
  return decoded as BytePath;
}

/** The mounts that this process sees, in the order they were made. */
export async function readMountInfo(): Promise<MountEntry[]> {
  return parseMountInfo(await readFile('/proc/self/mountinfo', 'latin1'));
}

/** What is mounted on exactly this path (absolute, without symlinks): the topmost, or undefined. */
export function mountAt(mounts: readonly MountEntry[], mountPoint: BytePath): MountEntry | undefined {
  return mounts.findLast((entry) => entry.mountPoint === mountPoint);
}
