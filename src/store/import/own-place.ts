import { realpathSync, statSync } from 'node:fs';
import { dirname, fromBuffer, toBuffer } from '../../base/bytes.js';
import type { BytePath } from '../../base/bytes.js';
import { refused } from '../../base/errors.js';

/**
 * A directory that is copied into one below itself has no end: each copy would be copied again.
 * @param place where it is copied to, or an existing directory above that
 * @param called the name of the source
 * @throws LaminaError refused: the place is in the source
 */
export function refuseOwnPlace(source: BytePath, place: BytePath, called: string): void {
  const { dev, ino } = statSync(toBuffer(source), { bigint: true });
  let at = fromBuffer(realpathSync.native(toBuffer(place), 'buffer'));
  for (;;) {
    const here = statSync(toBuffer(at), { bigint: true });
    if (here.dev === dev && here.ino === ino)
      throw refused(`${called} holds the store that it would be copied to`, {
        code: 'STORE_INSIDE',
        hint: 'give a directory without the store, or choose a store elsewhere with --store',
      });
    if (dirname(at) === at) return;
    at = dirname(at);
  }
}
