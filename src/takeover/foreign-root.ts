import { refused } from '../base/errors.js';
import type { LaminaError } from '../base/errors.js';
import { bytesText } from '../base/units.js';
import type { InCommon } from './compare-root.js';

/** The part of a base that a root of it still has at least: updates and packages leave far more. */
const leastPart = 1 / 4;

/** Whether a root can hardly have come from a base. */
export const isForeign = ({ files, shared, base }: InCommon): boolean =>
  files < base.entries * leastPart && shared.bytes <= base.bytes * leastPart;

/** @param systems what the root and the base say that they are; undefined: nothing */
export function foreignRoot(
  called: string,
  baseName: string,
  common: InCommon,
  systems: { readonly root: string | undefined; readonly base: string | undefined },
): LaminaError {
  const { files, shared, base } = common;
  const part = `it has ${files} of the base's ${base.entries} files, symlinks and devices unchanged (${bytesText(shared.bytes)} of ${bytesText(base.bytes)})`;
  const named = (system: string | undefined) => (system === undefined ? 'without os-release' : `'${system}'`);
  return refused(
    `${called} has little in common with base '${baseName}': ${part}; it is ${named(systems.root)}, the base ${named(systems.base)}`,
    {
      code: 'LITTLE_IN_COMMON',
      hint: 'import it as a base of its own, or give --force: the container then holds nearly all of it. Files that were copied without their times count as changed',
    },
  );
}
