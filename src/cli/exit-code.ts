import { lostOutput, write } from './stream.js';

let code = 0;

/** The command was done in part: `update apply --on-failure skip` left containers behind. */
export const partlyDone = 6;
/** The command was done, but its output could not be written. */
export const outputLost = 7;

/** For commands that succeed with an exit code other than 0: `run`, whose exit code is its command's, and `verify`. */
export function setExitCode(value: number): void {
  code = value;
}

/** The exit code of a command that was done. A reader that has closed its end is not a failure. */
export function exitCode(): number {
  const lost = lostOutput();
  if (lost === undefined) return code;
  const which = lost.stream === 'stdout' ? 'output' : 'error';
  write('stderr', `lamina: the command is done, but its standard ${which} could not be written: ${lost.message}\n`);
  return code === 0 ? outputLost : code;
}
