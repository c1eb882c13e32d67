import { constants } from 'node:os';

/** What lamina passes on to a command that it runs, and so do runc and crun. */
export const relayedSignals = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'] as const;

/** By its name, with SIG before it or without, or its number, as images have it. Undefined: there is no such signal. */
export function signalNamed(text: string): NodeJS.Signals | undefined {
  const name = text.toUpperCase();
  const found = Object.entries(constants.signals).find(
    ([each, number]) => each === name || each === `SIG${name}` || `${number}` === text,
  );
  return found?.[0] as NodeJS.Signals | undefined;
}

/** The exit code of a shell, and of runtimes, for a command that a signal ended. */
export const exitCodeOf = (signal: NodeJS.Signals): number => 128 + constants.signals[signal];
