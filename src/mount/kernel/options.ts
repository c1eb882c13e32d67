import { readFileSync } from 'node:fs';
import { join } from '../../base/bytes.js';
import { isSystemError } from '../../base/errors.js';
import { mountAt, readMountInfo } from '../../platform/mountinfo.js';
import { isMachineRoot } from '../../platform/privileges.js';
import { isThereSync } from '../../platform/walk.js';
import type { MountRequest } from '../engine.js';

/** As fsconfig(2) has them; without a value: a flag. */
export type Options = readonly (readonly [name: string, value?: string])[];

/**
 * Every option that has an effect on what is shown or written: the defaults are those of the kernel's configuration. In
 * a user namespace marks are `user.*`, and the kernel refuses redirects and metacopies together with them.
 */
export function optionsOf(
  { upper, kernel }: Pick<MountRequest, 'upper' | 'kernel'>,
  trusted = isMachineRoot(),
): Options {
  return [
    ['redirect_dir', trusted ? (upper === undefined ? 'follow' : 'on') : 'nofollow'],
    ['metacopy', trusted ? 'on' : 'off'],
    ['index', kernel?.keepsLinks === true ? 'on' : 'off'],
    ['nfs_export', 'off'],
    ['xino', 'auto'],
    ['uuid', 'null'],
    ['verity', 'off'],
    ...(trusted ? [] : ([['userxattr']] as const)),
  ];
}

/**
 * Options that are not on in a mount, though they were to be: where a file system of the layers lacks something,
 * overlayfs switches them off, and only its log says so.
 */
export async function optionsNotInEffect(
  { mountpoint, upper }: Pick<MountRequest, 'mountpoint' | 'upper'>,
  options: Options,
): Promise<string[]> {
  if (upper === undefined) return [];
  const shown = mountAt(await readMountInfo(), mountpoint)?.superOptions ?? [];
  const isOn = (name: string) => {
    const said = shown.find((option) => option.startsWith(`${name}=`));
    // The mount table leaves out what is the default of this machine.
    const isSaid = said === undefined ? isDefault(name) : said === `${name}=on`;
    return isSaid && (name !== 'index' || isThereSync(join(upper.work, 'index')));
  };
  return options.flatMap(([name, value]) => (value === 'on' && !isOn(name) ? [name] : []));
}

function isDefault(name: string): boolean {
  try {
    return readFileSync(`/sys/module/overlay/parameters/${name}`, 'latin1').trim() === 'Y';
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return false;
    throw error;
  }
}
