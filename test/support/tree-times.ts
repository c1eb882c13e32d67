import { lstatSync, readdirSync } from 'node:fs';

/**
 * The modification times of all that is below a directory, by path (latin1), in nanoseconds; `''` is the directory
 * itself.
 */
export function modificationTimes(root: string): Map<string, bigint> {
  const times = new Map<string, bigint>();
  const visit = (name: string) => {
    const path = Buffer.from(`${root}${name}`, 'latin1');
    const status = lstatSync(path, { bigint: true });
    times.set(name, status.mtimeNs);
    if (status.isDirectory()) for (const each of readdirSync(path, 'latin1')) visit(`${name}/${each}`);
  };
  visit('');
  return times;
}
