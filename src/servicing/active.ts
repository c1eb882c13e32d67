import { refused } from '../base/errors.js';
import { describeRunning, runningCommands } from '../store/index.js';
import type { Store } from '../store/index.js';
import { activeManual } from './manual.js';

/** They read no node but the root of a head, and only add to the store. */
const harmless = ['create', 'import'];

/**
 * Whoever takes trees away that stay in use as to their content must not do so under somebody who works with them.
 * @param own the caller's transaction
 * @throws LaminaError refused: an update is being made, or rolled back
 */
export async function refuseWhileServicing(store: Store, own?: string): Promise<void> {
  const byHand = (await activeManual(store))[0];
  if (byHand !== undefined) {
    throw refused(`update '${byHand.name}' of base '${byHand.base}' is being made by hand`, {
      code: 'SERVICING',
      hint: `commit or abort it: lamina update abort ${byHand.name}`,
    });
  }
  const running = await runningCommands(store);
  const other = running.find(({ id, kind }) => id !== own && !harmless.includes(kind));
  if (other === undefined) return;
  throw refused(`the store is in use by ${describeRunning(other)}`, {
    code: 'SERVICING',
    hint: 'try again when that command has ended (lamina status shows what runs)',
  });
}
