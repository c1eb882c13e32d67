import type { DurableHook } from '../../src/platform/durable.js';

/** How a disk fails. */
export interface Fault {
  readonly name: 'full' | 'once' | 'dead';
  readonly code: 'EIO' | 'ENOSPC';
  /** Whether steps of a kind fail that come after the first. */
  readonly goesOn: boolean;
  readonly hits: (step: string) => boolean;
}

const takesSpace = new Set(['write', 'sync-file', 'sync-tree', 'mkdir', 'stage']);

export const faults: readonly Fault[] = [
  // Nothing can be written any more; what is there can be removed and renamed.
  { name: 'full', code: 'ENOSPC', goesOn: true, hits: (step) => takesSpace.has(step) },
  { name: 'once', code: 'EIO', goesOn: false, hits: () => true },
  // Nor can what was begun be taken back.
  { name: 'dead', code: 'EIO', goesOn: true, hits: () => true },
];

const messages = { EIO: 'EIO: i/o error', ENOSPC: 'ENOSPC: no space left on device' };

/** Fails the step of number `first` among those that the fault hits, and where it goes on all later ones. */
export function failing({ code, goesOn, hits }: Fault, first: number): DurableHook {
  let count = 0;
  return (step) => {
    if (!hits(step)) return;
    const number = count;
    count += 1;
    if (number === first || (goesOn && number > first))
      throw Object.assign(new Error(`${messages[code]}, ${step}`), { code, syscall: step });
  };
}
