import type { Command } from 'commander';
import type { BytePath } from '../base/bytes.js';
import { usage } from '../base/errors.js';
import { absolutePath } from '../platform/command-line.js';
import type { Store } from '../app/open-store.js';
import { Output } from './output.js';
import { whenClosed } from './stream.js';

interface GlobalOptions {
  readonly store?: string;
  readonly json?: boolean;
}

/** The context of every command. */
export interface Context {
  readonly output: Output;
  /** Aborted by the first SIGINT, SIGTERM or SIGHUP. */
  readonly signal: AbortSignal;
  readonly root: () => Promise<BytePath>;
  readonly store: () => Promise<Store>;
}

export function contextOf(command: Command): Context {
  const options = command.optsWithGlobals<GlobalOptions>();
  const root = async () => (await import('../app/store-location.js')).locateStore(options.store);
  return {
    output: new Output(options.json === true),
    get signal() {
      return endingSignal();
    },
    root,
    store: async () => {
      const at = await root();
      await (await import('./as-owner.js')).workAsOwner(at);
      if (process.getuid?.() !== 0) (await import('./subordinate.js')).enterUsers(at);
      return (await import('../app/open-store.js')).storeAt(at);
    },
  };
}

let ending: AbortController | undefined;

/** The first signal aborts the work and lets the command clear up; the second ends the process. */
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
  whenClosed(() => {
    controller.abort(new OutputClosed());
  });
  return controller.signal;
}

/** The reader of the output is gone: treat it as an interruption. Work that was done stays done. */
class OutputClosed extends Error {
  constructor() {
    super('the reader of the output is gone; nothing was changed');
  }
}

class Interrupted extends Error {
  constructor(name: string) {
    super(`interrupted by ${name}; nothing was changed`);
  }
}

/** A path that a person gave, absolute. @throws LaminaError usage where it is empty */
export function pathOf(text: string): BytePath {
  if (text === '') throw usage('an empty text is not a path', { hint: 'give the path of a file or directory' });
  return absolutePath(text);
}
