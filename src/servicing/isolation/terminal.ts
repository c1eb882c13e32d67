import { isatty } from 'node:tty';
import { isForegroundSync, takeForegroundSync } from '../../platform/native.js';

const [input, output] = [0, 1];

/**
 * Whether the command may have the terminal: input and output are one, and our group is the one that it listens to. Where output goes on to a pager, that one needs the terminal.
 */
export const isForeground = (): boolean => isatty(input) && isatty(output) && isForegroundSync(input);

/** After a command that had the terminal. */
export function takeForeground(): void {
  takeForegroundSync(input);
}
