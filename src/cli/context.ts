import { resolve } from 'node:path';
import type { Command } from 'commander';
import { fromText } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import type { Store } from '../store/index.js';
import { Output } from './output.js';

interface GlobalOptions {
  readonly store?: string;
  readonly json?: boolean;
}

/** What every command starts from. */
export interface Context {
  readonly output: Output;
  /** Aborted by the first SIGINT, SIGTERM or SIGHUP. */
  readonly signal: AbortSignal;
  readonly root: () => Promise<BytePath>;
  readonly store: () => Promise<Store>;
}

export function contextOf(command: Command): Context {
  const options = command.optsWithGlobals<GlobalOptions>();
  const root = async () => (await import('../store/location.js')).locateStore(options.store);
  return {
    output: new Output(options.json === true),
    get signal() {
      return endingSignal();
    },
    root,
    store: async () => new (await import('../store/store.js')).Store(await root()),
  };
}

let ending: AbortController | undefined;

/** The first signal ends what runs and lets the command clear up; the second ends the process. */
function endingSignal(): AbortSignal {
  if (ending !== undefined) return ending.signal;
  const controller = new AbortController();
  ending = controller;
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => {
      if (controller.signal.aborted) process.exit(1);
      controller.abort(new Interrupted(name));
    });
  }
  return controller.signal;
}

class Interrupted extends Error {
  constructor(name: string) {
    super(`interrupted by ${name}; nothing was changed`);
  }
}

/** A path that a person gave, absolute. */
export function pathOf(text: string): BytePath {
  return fromText(resolve(text));
}
