import { lostOutput, write } from './stream.js';

let code = 0;

/** What was asked for was done in part: `update apply --on-failure skip` left containers behind. */
export const partlyDone = 6;
/** What was asked for was done, but what it printed could not be written. */
export const outputLost = 7;

/** For commands that end well and have more to say than 0: `run`, whose exit code is its command's, and `verify`. */
export function setExitCode(value: number): void {
  code = value;
}

/** Of a command that was done. A reader that has gone wanted no more: that is no failure. */
export function exitCode(): number {
  const lost = lostOutput();
  if (lost === undefined) return code;
  const which = lost.stream === 'stdout' ? 'output' : 'error';
  write('stderr', `lamina: the command is done, but standard ${which} could not be written: ${lost.message}\n`);
  return code === 0 ? outputLost : code;
}
