import type { Server } from 'node:http';
import { join, toText } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { isSystemError, refused, usage } from '../base/errors.js';
import { makeDirectoryDurably } from '../platform/durable.js';
import { tryLock } from '../platform/lock.js';
import { generationOf, serveDirectory, servedStore } from '../app/served.js';
import type { Store } from '../app/open-store.js';
import { AuditLog } from './audit-log.js';
import { CommandReader } from './command-reader.js';
import { EventStreams } from './event-streams.js';
import { Jobs } from './jobs/jobs.js';
import { listen } from './listen.js';
import type { Address, Listening } from './listen.js';
import { makeServer } from './server.js';
import type { Served, ServedChannel } from './served.js';
import { Sessions } from './sessions.js';
import { StoreStatus } from './store-status.js';
import { TokenFile } from './tokens.js';

export interface ServeOptions {
  readonly address: Address;
  readonly tokenFile: BytePath | undefined;
  readonly allowChanges: boolean;
  readonly channel: ServedChannel | undefined;
  /** Ends the server. Jobs continue. */
  readonly signal: AbortSignal;
  /** Called once it listens. */
  readonly onListening: (at: Listening) => void;
}

/**
 * Serves a store until the signal.
 * @throws LaminaError notFound: there is no store; usage: TCP without a token file; refused: another server serves this
 * store, or as `listen`
 */
export async function serve({ paths }: Store, options: ServeOptions): Promise<void> {
  const store = servedStore(paths.root);
  const { address, tokenFile, allowChanges, channel, signal } = options;
  if (address.kind === 'tcp' && tokenFile === undefined) throw needsTokens();
  const tokens = tokenFile === undefined ? undefined : new TokenFile(tokenFile);
  await generationOf(store);
  const directory = serveDirectory(store);
  await makeDirectoryDurably(directory, 0o700).catch(isThere);
  const lock = tryLock(join(directory, 'lock'), 'exclusive');
  if (lock === undefined)
    throw refused(`another lamina serve is running for the store ${toText(store.paths.root)}`, {
      code: 'SERVED',
      hint: 'end it first',
    });
  try {
    const audit = new AuditLog(directory);
    const rules = { allowChanges, port: undefined as number | undefined, tokens, sessions: new Sessions() };
    const served: Served = {
      store,
      status: new StoreStatus(store),
      commands: new CommandReader(store.paths.root),
      jobs: new Jobs(store.paths.root, directory, audit),
      audit,
      channel,
      streams: new EventStreams(),
      rules,
      callers: new WeakMap(),
    };
    await served.jobs.open();
    const app = await makeServer(served);
    await app.ready();
    try {
      const at = await listen(app.server, address);
      // On an inherited socket: only now is it known what it is.
      if (at.port !== undefined && tokens === undefined) throw needsTokens();
      rules.port = at.port;
      options.onListening(at);
      await untilAborted(signal);
    } finally {
      await app.close();
      await closeServer(app.server);
    }
  } finally {
    lock.release();
  }
}

/** The framework leaves closing to whoever made the server listen. */
async function closeServer(server: Server): Promise<void> {
  if (!server.listening) return;
  await new Promise<void>((resolve) => {
    server.close(() => {
      resolve();
    });
    server.closeAllConnections();
  });
}

const needsTokens = () =>
  usage('lamina serve needs a token file on a TCP address, because every user of this machine can connect to it', {
    code: 'NO_TOKEN_FILE',
    hint: 'give --token-file FILE, or listen on unix:PATH',
  });

async function untilAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => {
    signal.addEventListener('abort', () => {
      resolve();
    });
  });
}

function isThere(error: unknown): void {
  if (!isSystemError(error, 'EEXIST')) throw error;
}
