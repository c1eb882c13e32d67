import { isatty } from 'node:tty';
import { isForegroundSync } from '../../platform/native.js';

const [input, output] = [0, 1];

/**
 * Whether the command gets a terminal of its own: our input and output are one, and our group is the one that it listens to. Where output goes on to a pager, that one needs the terminal.
 */
export const isForeground = (): boolean => isatty(input) && isatty(output) && isForegroundSync(input);
