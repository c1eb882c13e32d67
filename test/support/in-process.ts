import { setExitCode } from '../../src/cli/exit-code.js';
import { main } from '../../src/cli/program.js';
import { divert } from '../../src/cli/stream.js';
import type { Finished } from './lamina.js';

export type Said = Pick<Finished, 'code' | 'stdout' | 'stderr'>;

/**
 * Runs a command in this process, which takes a twentieth of the time of a process of its own: for what depends on
 * arguments and documents alone. Name the store by `--store`.
 */
export async function inProcess(...args: readonly string[]): Promise<Said> {
  const said = { stdout: '', stderr: '' };
  divert((stream, bytes) => (said[stream] += Buffer.from(bytes).toString()));
  setExitCode(0);
  try {
    return { code: await main(['node', 'lamina', ...args]), ...said };
  } finally {
    divert(undefined);
  }
}
