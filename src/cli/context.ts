import type { Command } from 'commander';
import { printable } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import type { Progress } from '../app/apply.js';
import { usage } from '../base/errors.js';
import { absolutePath } from '../platform/command-line.js';
import type { Store } from '../app/open-store.js';
import { Output } from './output.js';
import type { RemoteStore } from './remote/client.js';
import { whenClosed, write } from './stream.js';

interface GlobalOptions {
  readonly store?: string;
  readonly json?: boolean;
  readonly remote?: string;
}

/** The request of a command to a server, in place of the store: for a part of a list, or a document. */
export interface Question {
  readonly path: string;
  /** Of a list, which is answered in parts. */
  readonly list?: string;
  /** The parameter that says where a part begins; by default `offset`. */
  readonly place?: string;
}

/** The action that a command requests from a server. */
export interface Order {
  readonly method?: 'POST' | 'DELETE';
  readonly path: string;
  readonly body?: object;
  readonly onProgress?: (progress: Progress) => void;
}

/** The context of every command. */
export interface Context {
  readonly output: Output;
  /** Aborted by the first SIGINT, SIGTERM or SIGHUP. */
  readonly signal: AbortSignal;
  readonly root: () => Promise<BytePath>;
  /**
   * @param ways paths that nobody else may redirect. What uses them checks that too, but cannot in the user namespace
   * of a store with subordinate ids, where all users of the machine but its own look alike
   */
  readonly store: (...ways: BytePath[]) => Promise<Store>;
  /** With --remote: the server works, not this process. */
  readonly isRemote: boolean;
  /** The data of a command that reads: from the server that --remote names, else from the store. */
  readonly read: <T extends object>(question: Question, local: (store: Store) => Promise<T>) => Promise<T>;
  /** The result of a command that acts: as a job of the server that --remote names, else here. */
  readonly act: <T extends object>(order: Order, local: () => Promise<T>) => Promise<T>;
}

export function contextOf(command: Command): Context {
  const options = command.optsWithGlobals<GlobalOptions>();
  const root = async () => (await import('../app/store-location.js')).locateStore(options.store);
  const store = async (...ways: BytePath[]) => {
    const at = await root();
    await (await import('./as-owner.js')).workAsOwner(at);
    if (process.getuid?.() !== 0) (await import('./subordinate.js')).enterUsers(at, ways);
    return (await import('../app/open-store.js')).storeAt(at, () => ending?.signal);
  };
  const { remote } = options;
  return {
    output: new Output(options.json === true, remote !== undefined),
    get signal() {
      return endingSignal();
    },
    root,
    store,
    isRemote: remote !== undefined,
    read: async <T extends object>({ path, list, place }: Question, local: (at: Store) => Promise<T>) => {
      if (remote === undefined) return local(await store());
      const server = await serverAt(remote);
      return list === undefined ? server.ask<T>({ path }) : server.askAll<T>(path, list as keyof T & string, place);
    },
    act: async <T extends object>({ onProgress, ...order }: Order, local: () => Promise<T>) => {
      if (remote === undefined) return local();
      const { remoteJob } = await import('./remote/job.js');
      return remoteJob<T>(
        await serverAt(remote),
        { method: 'POST', ...order },
        {
          signal: endingSignal(),
          onOutput: (text) => {
            write('stderr', printable(text));
          },
          ...(onProgress && { onProgress }),
        },
      );
    },
  };
}

async function serverAt(remote: string): Promise<RemoteStore> {
  const { parseRemote, remoteToken } = await import('./remote/address.js');
  const { RemoteStore: Client } = await import('./remote/client.js');
  return new Client(parseRemote(remote), remoteToken());
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
  if (text === '') throw usage('an empty string is not a path', { hint: 'give the path of a file or directory' });
  return absolutePath(text);
}
