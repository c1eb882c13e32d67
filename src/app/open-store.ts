/** The store, as commands name it: they do everything else with it through the functions of this room. */
import type { BytePath } from '../base/bytes.js';
import { Store } from '../store/store.js';

export type { Store };

export function storeAt(root: BytePath): Store {
  return new Store(root);
}
