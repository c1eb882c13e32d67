import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fromText } from '../../../src/base/bytes.js';
import { initStore } from '../../../src/store/index.js';
import type { Store } from '../../../src/store/index.js';
import { serveSnapshots } from '../../../src/snapshotter/index.js';
import { SnapshotClient } from '../../support/snapshot-client.js';

/** A snapshotter that this process serves, with a store of its own. */
export interface Served {
  readonly directory: string;
  readonly store: Store;
  readonly client: SnapshotClient;
  readonly faults: readonly string[];
  stop(): Promise<void>;
}

export async function serve(engine: 'kernel' | 'fuse' = 'kernel'): Promise<Served> {
  const directory = mkdtempSync(join(tmpdir(), 'lamina-snapshotter-'));
  const store = await initStore(fromText(join(directory, 'store')));
  const address = join(directory, 'sock');
  const end = new AbortController();
  const faults: string[] = [];
  let done: Promise<void> = Promise.resolve();
  await new Promise<void>((resolve, reject) => {
    done = serveSnapshots(store, {
      ...{ address, engine, signal: end.signal, onReady: resolve },
      onFault: (call, { message }) => faults.push(`${call}: ${message}`),
    });
    done.catch(reject);
  });
  const client = new SnapshotClient(address);
  return {
    ...{ directory, store, client, faults },
    stop: async () => {
      client.close();
      end.abort();
      await done;
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
