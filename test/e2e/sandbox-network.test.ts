import { chmodSync, lstatSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isRoot, runFlat, copyTree } from '../support/lamina.js';
import { SandboxWorld } from '../support/sandbox-world.js';

describe.skipIf(!isRoot)('a sandbox with the network', () => {
  let world: SandboxWorld;

  beforeEach(async () => {
    world = new SandboxWorld('sandbox-network');
    await world.run('init');
  });
  afterEach(() => {
    world.remove();
  });

  const apply = async (name: string, script: string) =>
    world.run('update', 'apply', 'b', world.script(name, script), '--name', name, '--network');
  const host = () => readFileSync('/etc/resolv.conf', 'utf8');

  it('captures nothing of what names are resolved by', async () => {
    rmSync(join(world.root, 'etc/hosts'));
    await world.containers('none', 'own');
    await world.mounted('own', (mounted) => {
      writeFileSync(join(mounted, 'etc/resolv.conf'), '# own\n');
      chmodSync(join(mounted, 'etc/resolv.conf'), 0o640);
    });
    const before = await world.look('own');
    await apply('u', 'grep -q localhost /etc/hosts; cat /etc/resolv.conf >/srv/seen');
    expect(await world.inside('none', 'cat /srv/seen; ls -d /etc/resolv.conf /etc/hosts 2>/dev/null || true')).toBe(
      host(),
    );
    const after = await world.look('own');
    expect(after.get('/etc/resolv.conf')).toBe(before.get('/etc/resolv.conf'));
    expect(await world.inside('own', 'cat /srv/seen')).toBe(host());
  });

  it('captures what a procedure makes of them', async () => {
    writeFileSync(join(world.root, 'etc/resolv.conf'), '# old\n');
    await world.containers('web');
    const flat = world.path('flat');
    copyTree(world.root, flat);
    const script =
      'echo "# new" >/etc/resolv.new; mv /etc/resolv.new /etc/resolv.conf; echo "10.0.0.1 db" >>/etc/hosts; rm -f /etc/none';
    runFlat(flat, world.script('flat', script));
    await apply('u', script);
    expect(await world.inside('web', 'cat /etc/resolv.conf /etc/hosts')).toBe(
      readFileSync(join(flat, 'etc/resolv.conf'), 'utf8') + readFileSync(join(flat, 'etc/hosts'), 'utf8'),
    );
    await apply('gone', 'rm /etc/resolv.conf');
    expect(await world.inside('web', 'ls /etc/resolv.conf 2>/dev/null || echo gone')).toBe('gone\n');
  });

  it.each(['../run/systemd/resolve/stub-resolv.conf', '/run/resolvconf/resolv.conf', '/tmp/resolv.conf'])(
    'has them where a link to %s leads',
    async (target) => {
      symlinkSync(target, join(world.root, 'etc/resolv.conf'));
      await world.containers('web');
      await apply('u', 'cat /etc/resolv.conf >/srv/seen');
      expect(await world.inside('web', 'cat /srv/seen')).toBe(host());
      expect(await world.run('run', '--network', 'web', 'cat', '/etc/resolv.conf')).toBe(host());
      await world.mounted('web', (mounted) => {
        expect(lstatSync(join(mounted, 'etc/resolv.conf')).isSymbolicLink()).toBe(true);
      });
    },
  );

  it('leaves nothing in a container after a run', async () => {
    rmSync(join(world.root, 'etc/hosts'));
    await world.containers('web');
    expect(await world.run('run', '--network', 'web', 'sh', '-c', 'cat /etc/resolv.conf; grep -c web /etc/hosts')).toBe(
      `${host()}1\n`,
    );
    expect((await world.json<{ changes: unknown[] }>('diff', 'web')).changes).toEqual([]);
    await world.run('run', '--network', 'web', 'sh', '-c', 'echo "# mine" >/etc/resolv.conf');
    expect(await world.inside('web', 'cat /etc/resolv.conf; ls /etc/hosts 2>/dev/null || true')).toBe('# mine\n');
    expect(await world.run('run', '--network', 'web', 'cat', '/etc/resolv.conf')).toBe(host());
  });
});
