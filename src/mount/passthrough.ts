import { release } from 'node:os';
import { isMachineRoot } from '../platform/privileges.js';

/** Of the kernel: docs/decisions/0013-passthrough-by-file.md. */
export const passthroughSince = [6, 9] as const;

export function kernelHasPassthrough(): boolean {
  const [major = 0, minor = 0] = release().split('.').map(Number);
  return major > passthroughSince[0] || (major === passthroughSince[0] && minor >= passthroughSince[1]);
}

/** Why this process cannot open files by passthrough; undefined: it can, as far as the layers' file system permits. */
export function reasonAgainstPassthrough(): string | undefined {
  if (!isMachineRoot()) return 'the kernel offers passthrough to root of the machine only';
  return kernelHasPassthrough() ? undefined : `passthrough needs Linux ${passthroughSince.join('.')} or later`;
}
