import type { RunOptions } from '../sandbox/index.js';

/** What a person may ask for of any runtime. */
interface AskedOptions extends Pick<RunOptions, 'user' | 'workingDirectory'> {
  readonly environment: Readonly<Record<string, string>>;
  /** Whether set-user-ID programs work in it. */
  readonly suid: boolean;
}

/** As options of a run, which an image completes (`withImageDefaults`). */
export function runOptionsOf({ user, environment, workingDirectory, suid }: AskedOptions): RunOptions {
  const privileges = { addedCapabilities: [], droppedCapabilities: [], mayGainPrivileges: suid };
  return { limits: {}, user, environment, workingDirectory, users: 'host', ...privileges };
}
