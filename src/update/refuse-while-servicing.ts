import { refused } from '../base/errors.js';
import { layerChain, own } from '../manifest/index.js';
import type { Manifest, NodeId } from '../manifest/index.js';
import { describeRunning, runningCommands } from '../store/index.js';
import type { Store } from '../store/index.js';
import { activeManual } from './manual/manual-update.js';

/** They read no node but the root of a head, and only add to the store. */
const harmless = ['create', 'import'];

/**
 * A command that removes trees whose content stays in use must not do so while another command works with them.
 * @param ownTransaction the caller's
 * @throws LaminaError refused: an update is being made, or rolled back
 */
export async function refuseWhileServicing(store: Store, manifest: Manifest, ownTransaction?: string): Promise<void> {
  const manual = (await activeManual(store, manifest))[0];
  if (manual !== undefined) {
    throw refused(`update '${manual.name}' of base '${manual.base}' is being made by hand`, {
      code: 'SERVICING',
      hint: `commit or abort it: lamina update abort ${manual.name}`,
    });
  }
  const running = await runningCommands(store);
  const other = running.find(({ id, kind }) => id !== ownTransaction && !harmless.includes(kind));
  if (other === undefined) return;
  throw refused(`the store is in use by ${describeRunning(other)}`, {
    code: 'SERVICING',
    hint: 'try again after that command has ended (lamina status shows what runs)',
  });
}

/**
 * A manual update and an export depend on nodes that must not be removed.
 * @param manifest that still has the nodes
 * @throws LaminaError refused: a manual update or an export is in progress
 */
export async function refuseRemovalBelowOthers(
  store: Store,
  manifest: Manifest,
  removed: readonly NodeId[],
): Promise<void> {
  const gone = new Set(removed);
  for (const { name, base, head } of await activeManual(store, manifest)) {
    if (own(manifest.nodes, head) === undefined || !layerChain(manifest, head).some((id) => gone.has(id))) continue;
    throw refused(`update '${name}' of base '${base}' is being made by hand on a layer that would be removed`, {
      code: 'SERVICING',
      hint: `commit or abort it: lamina update abort ${name}`,
    });
  }
  for (const running of gone.size === 0 ? [] : await runningCommands(store)) {
    const { nodes } = running.details;
    if (running.kind !== 'export' || !Array.isArray(nodes) || !nodes.some((id) => gone.has(id as NodeId))) continue;
    throw refused(`what would be removed is read by ${describeRunning(running)}`, {
      code: 'EXPORTING',
      hint: 'try again when that command has ended',
    });
  }
}
