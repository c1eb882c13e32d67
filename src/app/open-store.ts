/** The store, as commands name it: they do everything else with it through the functions of this room. */
import type { BytePath } from '../base/bytes.js';
import { Store } from '../store/store.js';

export type { Store };

/** @param interruption as `Store` has it */
export function storeAt(root: BytePath, interruption?: () => AbortSignal | undefined): Store {
  return new Store(root, interruption);
}
