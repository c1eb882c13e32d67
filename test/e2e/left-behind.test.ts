import { spawnSync } from 'node:child_process';
import { appendFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeDeep } from '../support/deep.js';
import { World, isRoot } from '../support/lamina.js';

interface Effect {
  container: string;
  outcome: string;
  failure: string | null;
}

interface CaughtUp {
  containers: { container: string; steps: { outcome: string }[] }[];
  failed: { container: string; code: string; message: string }[];
}

const hasTools = ['debugfs', 'mkfs.ext4'].every((tool) => spawnSync(tool, ['-V']).error === undefined);

function must(command: string, ...args: string[]): void {
  const done = spawnSync(command, args, { encoding: 'utf8' });
  if (done.status !== 0) throw new Error(`${command} ${args.join(' ')}: ${done.stderr}`);
}

/** Why each of the strange containers cannot be serviced. */
const reasons = {
  broken: /cannot read .*EUCLEAN/,
  deep: /holds paths that are too long/,
  gone: /the storage of container 'gone-.*' is damaged/,
  index: /the index .* is damaged/,
  shell: /interpreter \/bin\/sh is missing/,
};
type Strange = keyof typeof reasons;
const strange = Object.keys(reasons).sort() as Strange[];

describe.runIf(isRoot && hasTools)(
  'containers that cannot be serviced for what they hold',
  { timeout: 240_000 },
  () => {
    let world: World;

    beforeAll(async () => {
      world = new World('left', 'disk/store');
      world.makeDirectory('disk');
      must('truncate', '--size', '256M', world.path('image'));
      must('mkfs.ext4', '-q', world.path('image'));
      connect();
      await world.initWithTiny();
      await makeStrange('then');
    }, 240_000);
    afterAll(() => {
      spawnSync('umount', [world.path('disk')]);
      world.remove();
    });

    const connect = () => must('mount', '-o', 'loop', world.path('image'), world.path('disk'));

    function nodeOf(container: string, part: string): string {
      const manifest = JSON.parse(world.manifest()) as {
        containers: Record<string, { storage: string }>;
        nodes: Record<string, { parent: string | null }>;
      };
      const top = manifest.containers[container]!.storage;
      return join(world.store, 'nodes', part === 'index' ? manifest.nodes[top]!.parent! : top, part);
    }

    /** A container of each kind, and two that are well, of which one overlaps what the updates do. */
    async function makeStrange(when: string): Promise<void> {
      for (const kind of ['idle', 'own', ...strange]) {
        await world.run('create', `${kind}-${when}`, '--base', 'tiny');
        await world.inside(`${kind}-${when}`, `mkdir /srv/own; echo ${kind} >/srv/own/file`);
      }
      // Seals the storages that they have so far.
      await world.run('update', 'apply', 'tiny', world.script(`seal-${when}`, `touch /etc/sealed-${when}`));
      await world.inside(`own-${when}`, 'echo own >/etc/app.conf');
      await world.inside(`broken-${when}`, 'echo more >/srv/own/more');
      await world.inside(`shell-${when}`, 'rm /bin/sh');
      await world.mounted(`deep-${when}`, (root) => {
        makeDeep(`${root}/srv`, 200, 'd'.repeat(200));
      });
      rmSync(join(nodeOf(`gone-${when}`, ''), 'tree'), { recursive: true });
      rmSync(nodeOf(`gone-${when}`, 'work'), { recursive: true });
      writeFileSync(nodeOf(`index-${when}`, 'index'), 'x');
      // An inode of its tree that the file system cannot read.
      const inode = nodeOf(`broken-${when}`, 'tree/srv/own/more').slice(world.path('disk').length);
      must('umount', world.path('disk'));
      must('debugfs', '-w', '-R', `set_inode_field ${inode} block[0] 0`, world.path('image'));
      connect();
    }

    function checkReasons(effects: readonly Effect[], when: string): void {
      const failed = effects.filter(({ outcome }) => outcome === 'failed');
      expect(failed.map(({ container }) => container)).toEqual(strange.map((kind) => `${kind}-${when}`));
      for (const kind of strange)
        expect(effects.find(({ container }) => container === `${kind}-${when}`)?.failure).toMatch(reasons[kind]);
    }

    const behindOf = async () => {
      const { containers } = await world.json<{ containers: { name: string; behind: string[] }[] }>('status');
      return containers.filter(({ behind }) => behind.length > 0).map(({ name }) => name);
    };

    it('are left behind by an update that is applied, each by name with the reason', async () => {
      const script = world.script('one', 'echo 1 >/etc/one; cat /etc/app.conf >/etc/copy; rm -rf /srv/own');
      const dry = await world.attempt('--json', 'update', 'apply', 'tiny', script, '--dry-run');
      expect(dry.code).toBe(6);
      const done = await world.attempt('update', 'apply', 'tiny', script);
      expect(done.code).toBe(6);
      for (const kind of strange) expect(done.stderr).toMatch(`container ${kind}-then stays on its old layer: `);
      const { effects } = await world.json<{ effects: Effect[] }>('update', 'show', 'one');
      checkReasons(effects, 'then');
      expect(await world.run('update', 'show', 'one')).toMatch(/deep-then +failed/);
      expect(await world.inside('own-then', 'cat /etc/one /etc/copy; test ! -e /srv/own')).toBe('1\nown\n');
      expect(await world.inside('idle-then', 'cat /etc/one; test ! -e /srv/own')).toBe('1\n');
      expect(await behindOf()).toEqual(strange.map((kind) => `${kind}-then`));
    });

    it('are left behind by an update that is made by hand, each by name with the reason', async () => {
      await makeStrange('hand');
      const point = world.makeDirectory('point');
      await world.run('update', 'begin', 'tiny', point, '--name', 'hand');
      writeFileSync(join(point, 'etc/hand'), 'by hand');
      appendFileSync(join(point, 'etc/app.conf'), 'more\n');
      const done = await world.attempt('update', 'commit', 'hand');
      expect(done.code).toBe(6);
      const { effects } = await world.json<{ effects: Effect[] }>('update', 'show', 'hand');
      // Nothing is run: that one has no shell is no hindrance.
      const unserviceable = strange.filter((kind) => kind !== 'shell');
      for (const kind of unserviceable) {
        expect(done.stderr).toMatch(`container ${kind}-hand stays on its old layer: `);
        expect(effects.find(({ container }) => container === `${kind}-hand`)?.failure).toMatch(reasons[kind]);
      }
      expect(await world.inside('own-hand', 'cat /etc/hand /etc/app.conf.lamina-new')).toMatch(/^by hand.*more\n$/s);
      expect(await world.inside('idle-then', 'cat /etc/hand')).toBe('by hand');
      const behind = await behindOf();
      expect(behind).toEqual(
        [...strange.map((kind) => `${kind}-then`), ...unserviceable.map((kind) => `${kind}-hand`)].sort(),
      );
    });

    it('are left behind by a catch-up of all, which brings those along that were mended', async () => {
      for (const when of ['then', 'hand'])
        await world.mounted(`deep-${when}`, (root) => {
          must('rm', '--recursive', `${root}/srv/${'d'.repeat(200)}`);
        });
      const done = await world.attempt('--json', 'update', 'catch-up', '--all');
      expect(done.code).toBe(6);
      const { containers, failed } = JSON.parse(done.stdout) as CaughtUp;
      expect(containers.map(({ container }) => container)).toEqual(['deep-hand', 'deep-then']);
      for (const { container, message } of failed) {
        expect(message).toMatch(reasons[container.split('-')[0] as Strange]);
        expect(done.stderr).toMatch(`container ${container} stays on its old layer: `);
      }
      expect(failed.map(({ container }) => container)).toEqual(await behindOf());
      expect(await world.inside('deep-then', 'cat /etc/one /etc/hand; test ! -e /srv/own')).toBe('1\nby hand');
      const named = ['gone-then', 'deep-then', '--allow-failures'];
      expect((await world.attempt('update', 'catch-up', ...named)).code).toBe(0);
      const none = await world.attempt('--json', 'update', 'catch-up', '--all');
      expect([none.code, none.stdout]).toEqual([1, expect.stringContaining('NONE_CAUGHT_UP')]);
      expect((await world.attempt('update', 'catch-up')).code).toBe(2);
      expect((await world.attempt('update', 'catch-up', '--all', 'idle-then')).code).toBe(2);
    });

    it('make the exit code 0 where failures are to be no reason for another exit code', async () => {
      const script = world.script('two', 'rm -f /etc/one');
      const container = ['--container', 'idle-then', '--container', 'index-new'];
      await world.run('create', 'index-new', '--base', 'tiny');
      await world.inside('index-new', 'touch /etc/x');
      await world.run('update', 'apply', 'tiny', world.script('seal', 'touch /etc/sealed'), '--allow-failures');
      writeFileSync(nodeOf('index-new', 'index'), 'x');
      expect((await world.attempt('update', 'apply', 'tiny', script, ...container, '--allow-failures')).code).toBe(0);
    });
  },
);
