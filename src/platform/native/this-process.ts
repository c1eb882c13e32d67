import { bytesOf, callSync } from '../addon.js';
import type { Path } from '../addon.js';
import { asNumber } from './replies.js';

/* What concerns this process, its terminal and its sockets. */

/**
 * Programs that are run from now on inherit only the descriptors that are passed explicitly. Node ensures that for its
 * own; of those that this process was started with it misses what lies beyond a gap in their numbers.
 */
export function keepDescriptorsSync(): void {
  callSync({ operation: 'closeOnExec', subject: { syscall: 'close_range' }, args: [3] });
}

/**
 * Replaces this process with another program, with its environment, working directory and standard streams.
 * @param words its arguments from its own name on
 * @returns never; throws a SystemError where the program cannot be run
 */
export function executeSync(program: Path, words: readonly string[]): never {
  const text = Buffer.concat(words.flatMap((word) => [bytesOf(word), Buffer.of(0)]));
  callSync({ operation: 'execute', subject: { syscall: 'execve', path: program }, args: [bytesOf(program), text] });
  throw new TypeError('execve(2) returned without an error');
}

/** Whether our process group is a terminal's foreground group. */
export function isForegroundSync(terminal: number): boolean {
  const call = { operation: 'isForeground', subject: { syscall: 'tcgetpgrp', path: terminal }, args: [terminal] };
  return asNumber(callSync(call)) === 1;
}

/** The id of the user that connected a unix socket, as this process's user namespace numbers it. */
export function peerUserSync(socket: number): number {
  return asNumber(callSync({ operation: 'peerUser', subject: { syscall: 'getsockopt', path: socket }, args: [socket] }));
}
