import { realpathSync } from 'node:fs';
import { display, isBelow, toBuffer } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { refused } from '../base/errors.js';
import { readMountInfo } from '../platform/mountinfo.js';

/**
 * What is mounted below a root is not part of it, and hides what is.
 * @param directories that the root is made of @throws LaminaError refused
 */
export async function refuseMountsBelow(directories: readonly BytePath[], called: string): Promise<void> {
  const real = directories.map((each) => realpathSync.native(toBuffer(each), 'latin1') as BytePath);
  const points = (await readMountInfo()).map(({ mountPoint }) => mountPoint);
  const below = [...new Set(points)].filter((point) => real.some((directory) => isBelow(point, directory)));
  const [first] = below;
  if (first === undefined) return;
  const more = below.length > 1 ? `, and ${below.length - 1} more` : '';
  throw refused(`${called} holds mounts: on ${display(first)}${more}`, {
    code: 'HOLDS_MOUNTS',
    hint: 'unmount them; or mount the root alone elsewhere (mount --bind ROOT DIR), and take over DIR',
  });
}
