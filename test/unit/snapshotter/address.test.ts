import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isMachineRoot } from '../../../src/platform/privileges.js';
import { serveSnapshots } from '../../../src/snapshotter/index.js';
import { SnapshotClient } from '../../support/snapshot-client.js';
import { serve } from './served.js';
import type { Served } from './served.js';

const signal = new AbortController().signal;

describe.skipIf(!isMachineRoot())('snapshots of containerd', () => {
  let served: Served;

  beforeEach(async () => {
    served = await serve();
  });
  afterEach(async () => {
    await served.stop();
  });

  it('are not served where other users could put a socket of theirs', async () => {
    const options = { engine: 'kernel', signal, onReady: () => undefined, onFault: () => undefined } as const;
    for (const mode of [0o777, 0o1777, 0o775]) {
      const open = join(served.directory, `open-${mode.toString(8)}`);
      mkdirSync(open);
      chmodSync(open, mode);
      // Root's own group may write.
      if (mode === 0o775) chownSync(open, 0, 1000);
      await expect(serveSnapshots(served.store, { ...options, address: join(open, 'sock') })).rejects.toThrow(
        /other users could replace the socket .*may be written by others/,
      );
      expect(readdirSync(open)).toEqual([]);
    }
    const theirs = join(served.directory, 'theirs');
    mkdirSync(theirs);
    chownSync(theirs, 1000, 1000);
    await expect(serveSnapshots(served.store, { ...options, address: join(theirs, 'sock') })).rejects.toThrow(
      'belongs to user 1000',
    );
  });

  it('are served by one of two servers that start at once', async () => {
    const address = join(served.directory, 'at-once');
    const end = new AbortController();
    let ready = 0;
    const options = {
      ...({ engine: 'kernel', signal: end.signal, address, onFault: () => undefined } as const),
      onReady: () => void (ready += 1),
    };
    const both = [serveSnapshots(served.store, options), serveSnapshots(served.store, options)];
    await expect(
      Promise.any(both.map(async (each) => each.then(() => Promise.reject(new Error('ended')), String))),
    ).resolves.toContain('another process listens');
    expect(ready).toBe(1);
    const second = new SnapshotClient(address);
    expect(await second.names()).toEqual([]);
    second.close();
    end.abort();
    await Promise.allSettled(both);
    expect(existsSync(address)).toBe(false);
  });

  it('are served at one place by one server', async () => {
    const options = { engine: 'kernel', signal, onReady: () => undefined, onFault: () => undefined } as const;
    const address = join(served.directory, 'sock');
    await expect(serveSnapshots(served.store, { ...options, address })).rejects.toThrow('another process listens');
    writeFileSync(join(served.directory, 'file'), '');
    await expect(serveSnapshots(served.store, { ...options, address: join(served.directory, 'file') })).rejects.toThrow(
      'is not a socket',
    );
    for (const wrong of ['sock', `/${'x'.repeat(120)}`])
      await expect(serveSnapshots(served.store, { ...options, address: wrong })).rejects.toThrow(
        'cannot be the address',
      );
  });

  it('are served where a killed server left its socket', async () => {
    const address = join(served.directory, 'left');
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(address, resolve));
    // Closing it would remove the socket.
    execFileSync('mv', [address, `${address}.kept`]);
    await new Promise((resolve) => server.close(resolve));
    execFileSync('mv', [`${address}.kept`, address]);
    const end = new AbortController();
    const options = { engine: 'kernel', signal: end.signal, onFault: () => undefined } as const;
    await serveSnapshots(served.store, { ...options, address, onReady: () => end.abort() });
    expect(existsSync(address)).toBe(false);
  });
});
