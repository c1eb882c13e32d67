import { readFileSync } from 'node:fs';
import { isSystemError } from '../base/errors.js';

/** The parameter of the kernel's module that offers FUSE over io_uring to new mounts (Linux 6.14). */
export const ringSetting = '/sys/module/fuse/parameters/enable_uring';

/** `absent`: this kernel has no FUSE over io_uring. */
export type RingState = 'on' | 'off' | 'absent';

export function ringState(setting = ringSetting): RingState {
  try {
    return readFileSync(setting, 'latin1').startsWith('Y') ? 'on' : 'off';
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return 'absent';
    throw error;
  }
}

/**
 * How a driver gets its requests. A supervised one survives the death of its worker, and cannot use io_uring, whose
 * requests the kernel cannot send again. A run that is rolled back when its driver dies loses nothing by that, so it
 * takes the faster way (docs/decisions/0028-requests-of-a-run.md).
 */
export function requestOptions(
  { mode, isVolatile }: { readonly mode: string; readonly isVolatile: boolean },
  ring: RingState,
): string[] {
  if (mode === 'passthrough') return [];
  return mode === 'servicing' && isVolatile && ring === 'on' ? ['io_uring=auto'] : ['supervise=on'];
}
