import type { Recovery, Store } from '../store/index.js';

/** Clears away what crashed commands left, and tells what it was. */
export async function recover(store: Store): Promise<Recovery> {
  return store.recover();
}
