import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { status } from '../../src/app/inspect.js';
import { settings } from '../../src/app/settings.js';
import { fromText } from '../../src/base/bytes.js';
import { Store } from '../../src/store/index.js';
import { World, checkout, copyTree, differences, isRoot } from '../support/lamina.js';
import type { Started } from '../support/lamina.js';
import { hasProgram } from '../support/runtimes.js';
import { SnapshotClient, codeOf, kind, mountAt, unmountAt, upperOf, within } from '../support/snapshot-client.js';

/** What is done in a root, the same in a mounted snapshot and in a plain directory. */
type Work = (root: string) => void;

const requirement = !isRoot ? ' (needs root)' : hasProgram('mount.fuse3') ? '' : ' (needs fuse3)';

/** What containerd's own suite does with the mounts of a snapshotter, and what a crash may leave. */
describe.each(['kernel', 'fuse'] as const)(`the snapshotter with the engine %s${requirement}`, (engine) => {
  if (requirement !== '') {
    it.skip('mounts', () => undefined);
    return;
  }
  const world = new World(`snapshotter-${engine}`);
  const address = world.path('sock');
  let client: SnapshotClient;
  let server: Started | undefined;
  let made = 0;

  async function startServer(): Promise<void> {
    const started = world.start(['snapshotter', '--address', address, '--engine', engine]);
    server = started;
    client = new SnapshotClient(address);
    await started.said('listening at');
  }
  async function stopServer(signal: NodeJS.Signals): Promise<void> {
    client.close();
    const stopped = server;
    server = undefined;
    stopped?.child.kill(signal);
    await stopped?.finished;
  }

  beforeAll(async () => {
    // mount.fuse3 finds the driver by its name.
    process.env['PATH'] = `${join(checkout, 'dist')}:${process.env['PATH'] ?? ''}`;
    await world.run('init');
    await startServer();
  });
  afterAll(async () => {
    if (server !== undefined) await stopServer('SIGTERM');
    const left = world.mounts();
    world.remove();
    expect(left).toEqual([]);
  });

  const scratch = () => world.makeDirectory(`scratch-${++made}`);

  /** Commits these works as snapshots upon one another, each compared with a plain directory before and after. */
  async function commitAll(...works: readonly Work[]): Promise<{ name: string; flat: string }> {
    const flat = scratch();
    chmodSync(flat, 0o755);
    let name = '';
    for (const work of works) {
      const key = `key-${++made}`;
      const mounts = await client.prepare(key, name);
      within(scratch(), mounts, (root) => {
        expect([...differences(world.snapshotOf(flat), world.snapshotOf(root))]).toEqual([]);
        for (const each of [flat, root]) work(each);
        expect([...differences(world.snapshotOf(flat), world.snapshotOf(root))]).toEqual([]);
      });
      name = `name-${++made}`;
      await client.commit(name, key);
    }
    const view = `view-${++made}`;
    const mounts = await client.view(view, name);
    within(scratch(), mounts, (root) => {
      expect([...differences(world.snapshotOf(flat), world.snapshotOf(root))]).toEqual([]);
      expect(() => {
        writeFileSync(join(root, 'new'), '');
      }).toThrow(/EROFS/);
    });
    await client.remove(view);
    return { name, flat };
  }

  const write = (root: string, path: string, content: string, mode = 0o644) => {
    writeFileSync(join(root, path), content, { mode });
  };
  const makeDirectory = (root: string, path: string, mode = 0o755) => mkdirSync(join(root, path), { mode });
  const removeAll = (root: string, path: string) => {
    rmSync(join(root, path), { recursive: true });
  };

  it('shows what was committed, and what was changed upon it', async () => {
    await commitAll(
      (root) => {
        write(root, 'foo', 'foo\n', 0o777);
        for (const path of ['a', 'a/b', 'a/b/c']) makeDirectory(root, path);
      },
      (root) => {
        write(root, 'bar', 'bar\n', 0o777);
        write(root, 'foo', 'bar\n');
        removeAll(root, 'a/b');
      },
    );
  });

  it('hides what was deleted, for all above', async () => {
    await commitAll(
      (root) => {
        write(root, 'foo', 'foo\n');
        write(root, 'foobar', 'foobar\n');
        makeDirectory(root, 'dir');
        write(root, 'dir/below', 'x');
      },
      (root) => {
        removeAll(root, 'foobar');
        removeAll(root, 'dir');
      },
      (root) => makeDirectory(root, 'dir'),
      () => undefined,
    );
  });

  it('keeps owners and modes that were changed, that of the root too', async () => {
    await commitAll(
      (root) => {
        makeDirectory(root, 'opt');
        write(root, 'opt/file', 'x');
        chownSync(join(root, 'opt'), 1, 1);
      },
      (root) => {
        chownSync(join(root, 'opt/file'), 2, 2);
        chmodSync(join(root, 'opt'), 0o700);
        chmodSync(root, 0o711);
      },
      (root) => write(root, 'opt/file', 'y'),
    );
  });

  it('moves and links files of lower layers', async () => {
    await commitAll(
      (root) => {
        makeDirectory(root, 'dir1', 0o700);
        write(root, 'dir1/f1', 'Hello');
        makeDirectory(root, 'dir2', 0o700);
        write(root, 'dir2/f2', '...');
      },
      (root) => {
        makeDirectory(root, 'dir3', 0o700);
        renameSync(join(root, 'dir1/f1'), join(root, 'dir3/f1'));
        removeAll(root, 'dir1');
        linkSync(join(root, 'dir2/f2'), join(root, 'dir3/f2'));
        removeAll(root, 'dir2/f2');
      },
    );
  });

  describe('and a container of the store', () => {
    const web = { 'containerd.io/snapshot/dev.lamina.container': 'web' };
    const store = new Store(fromText(world.store));
    const listed = async () => (await status(store)).elsewhere;
    it('shows where it is mounted, and opens it as its setting says', async () => {
      const { name } = await commitAll((root) => write(root, 'kept', 'x'.repeat(10_000)));
      await client.prepare('web-key', name, web);
      await settings(store, 'web', { mode: 'passthrough' });
      const mounts = await client.mounts('web-key');
      if (engine === 'fuse') expect(mounts[0]?.options).toContain('mode=passthrough');
      const place = scratch();
      mountAt(place, mounts);
      expect(readFileSync(join(place, 'kept'), 'utf8')).toHaveLength(10_000);
      expect(await listed()).toEqual([{ container: 'web', mountpoint: place, engine, snapshot: 'web-key' }]);
      expect(await world.run('list', '--filter', 'state=mounted')).toContain(
        `${place} (by containerd, as snapshot web-key)`,
      );
      const refused = await world.attempt('mount', 'web', scratch());
      expect(refused).toMatchObject({ code: 4, stderr: expect.stringContaining("container 'web' is") as string });
      unmountAt(place);
      expect(await listed()).toEqual([]);
    });

    it('is taken from containerd by whatever uses it', async () => {
      const mounts = await client.mounts('web-key');
      const kept = await world.mounted('web', (root) => readFileSync(join(root, 'kept'), 'utf8'));
      expect(kept).toHaveLength(10_000);
      expect(() => {
        mountAt(scratch(), mounts);
      }).toThrow();
      within(scratch(), await client.mounts('web-key'), (root) => {
        write(root, 'again', 'x');
      });
      await client.remove('web-key');
    });
  });

  // Each of the driver's mounts is a program to start.
  const depth = engine === 'kernel' ? 128 : 24;
  it(`mounts ${depth} layers`, { timeout: 300_000 }, async () => {
    const layer =
      (number: number, replaces: boolean): Work =>
      (root) => {
        write(root, 'overwriteme', `${number} was here\n`);
        if (!existsSync(join(root, 'addhere'))) makeDirectory(root, 'addhere');
        write(root, `addhere/file-${number}`, 'same\n');
        if (!replaces) return;
        if (number > 0) removeAll(root, 'onlyme');
        makeDirectory(root, 'onlyme');
        write(root, `onlyme/file-${number}`, 'only me\n');
      };
    const flat = scratch();
    chmodSync(flat, 0o755);
    let parent = '';
    for (let number = 0; number < depth; number++) {
      const mounts = await client.prepare(`deep-${number}-key`, parent);
      // Mounting takes most of the time: what adds only is what the mount would leave in its upper.
      const isMounted = number % 8 === 0 || number === depth - 1;
      const work = layer(number, isMounted);
      if (isMounted) within(scratch(), mounts, work);
      else work(upperOf(mounts));
      work(flat);
      parent = `deep-${number}`;
      await client.commit(parent, `${parent}-key`);
    }
    const mounts = await client.view('deep-view', parent);
    within(scratch(), mounts, (root) => {
      expect([...differences(world.snapshotOf(flat), world.snapshotOf(root))]).toEqual([]);
    });
    await client.remove('deep-view');
  });

  it('loses nothing of what was prepared or committed when it is killed', async () => {
    const { name, flat } = await commitAll((root) => write(root, 'kept', 'x'.repeat(10_000)));
    await client.prepare('survives', name);
    const root = scratch();
    mountAt(root, await client.mounts('survives'));
    writeFileSync(join(root, 'written'), 'before');
    for (const delay of [0, 10, 60]) {
      const key = `killed-${delay}`;
      const calls = [
        codeOf(client.prepare(key, name)),
        codeOf(client.view(`${key}-view`, name)),
        codeOf(client.prepare(`${key}-loose`).then(async () => client.commit(`${key}-name`, `${key}-loose`))),
        codeOf(client.prepare(`${key}-gone`, name).then(async () => client.remove(`${key}-gone`))),
      ];
      await new Promise((resolve) => setTimeout(resolve, delay));
      await stopServer('SIGKILL');
      await Promise.all(calls);
      await startServer();
      const names = await client.names();
      expect(names).toEqual(expect.arrayContaining([name, 'survives']));
      for (const each of names.filter((other) => other.startsWith(key))) {
        if ((await client.stat(each)).kind === kind.committed) continue;
        within(scratch(), await client.mounts(each), (at) => statSync(at));
      }
      await world.run('verify');
    }
    expect(readFileSync(join(root, 'written'), 'utf8')).toBe('before');
    writeFileSync(join(root, 'after'), 'after');
    copyTree(`${root}/.`, flat);
    unmountAt(root);
    await client.commit('survived', 'survives');
    within(scratch(), await client.view('look', 'survived'), (at) => {
      expect([...differences(world.snapshotOf(flat), world.snapshotOf(at))]).toEqual([]);
    });
    expect(world.mounts()).toEqual([]);
  });

  it('removes its socket when it is stopped, and refuses a second server', async () => {
    const second = await world.attempt('snapshotter', '--address', address, '--engine', engine);
    expect(second).toMatchObject({ code: 4 });
    expect(second.stderr).toContain('another process listens at');
    await stopServer('SIGTERM');
    expect(existsSync(address)).toBe(false);
    await startServer();
    expect(statSync(address).mode & 0o777).toBe(0o600);
  });
});
