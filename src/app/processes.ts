import { containerProcesses } from '../containers/index.js';
import type { ContainerProcess } from '../containers/index.js';
import type { Store } from '../store/index.js';

export interface ProcessesData {
  readonly container: string;
  /** Those that run in its root. */
  readonly processes: readonly (ContainerProcess & {
    /** It runs programs or libraries that were replaced or removed. */
    readonly restart: boolean;
  })[];
}

/**
 * The processes in a container's root, and which of them need a restart. @throws LaminaError notFound: no such
 * container
 */
export async function processes(store: Store, container: string): Promise<ProcessesData> {
  const found = await containerProcesses(store, container);
  return { container, processes: found.map((each) => ({ ...each, restart: each.replaced.length > 0 })) };
}
