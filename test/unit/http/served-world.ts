import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { init } from '../../../src/app/bases.js';
import { storeAt } from '../../../src/app/open-store.js';
import { fromText } from '../../../src/base/bytes.js';
import { AuditLog } from '../../../src/http/audit-log.js';
import { CommandReader } from '../../../src/http/command-reader.js';
import { EventStreams } from '../../../src/http/event-streams.js';
import { Jobs } from '../../../src/http/jobs/jobs.js';
import type { App, Served } from '../../../src/http/served.js';
import { makeServer } from '../../../src/http/server.js';
import { Sessions } from '../../../src/http/sessions.js';
import { StoreStatus } from '../../../src/http/store-status.js';
import { TokenFile } from '../../../src/http/tokens.js';

export const adminToken = 'a'.repeat(40);
export const readerToken = 'r'.repeat(40);
export const port = 8080;
export const host = `127.0.0.1:${port}`;

/** A server of an empty store that does not listen: requests are injected. */
export interface ServedWorld {
  readonly app: App;
  readonly served: Served;
  readonly directory: string;
  remove(): Promise<void>;
}

export async function servedWorld({
  allowChanges = true,
  tcp = true,
}: { allowChanges?: boolean; tcp?: boolean } = {}): Promise<ServedWorld> {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), 'lamina-http-')));
  const root = fromText(join(directory, 'store'));
  await init(root);
  const serve = fromText(directory);
  const tokenFile = join(directory, 'tokens');
  writeFileSync(tokenFile, `# who may ask\nadmin ${adminToken}\nreader ${readerToken} read-only\n`, { mode: 0o600 });
  const audit = new AuditLog(serve);
  const store = storeAt(root);
  const served: Served = {
    store,
    status: new StoreStatus(store),
    commands: new CommandReader(root),
    jobs: new Jobs(root, serve, audit),
    audit,
    channel: undefined,
    streams: new EventStreams(),
    rules: {
      allowChanges,
      port: tcp ? port : undefined,
      tokens: tcp ? new TokenFile(fromText(tokenFile)) : undefined,
      sessions: new Sessions(),
    },
    callers: new WeakMap(),
  };
  await served.jobs.open();
  const app = await makeServer(served);
  await app.ready();
  return {
    app,
    served,
    directory,
    remove: async () => {
      await app.close();
      rmSync(directory, { recursive: true });
    },
  };
}
