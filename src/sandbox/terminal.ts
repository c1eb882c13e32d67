import { isatty } from 'node:tty';
import { isForegroundSync } from '../platform/native.js';

const [input, output] = [0, 1];

/**
 * Whether the command gets a terminal of its own: our input and output are one, and our process group is in the
 * foreground. Where output goes to a pager, the pager needs the terminal.
 */
export const isForeground = (): boolean => isatty(input) && isatty(output) && isForegroundSync(input);
