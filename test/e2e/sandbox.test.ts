import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { World, buildProgram, buildTiny, checkout, mayMount } from '../support/lamina.js';

/**
 * CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP NET_BIND_SERVICE SYS_CHROOT MKNOD
 * AUDIT_WRITE SETFCAP: capabilities(7)
 */
const granted = [0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 18, 27, 29, 31].reduce((bits, bit) => bits | (1n << BigInt(bit)), 0n);

describe.skipIf(!mayMount)('the sandbox', () => {
  let world: World;

  /** What a procedure prints when it runs on the base and in the container. */
  async function procedure(script: string): Promise<string> {
    const { stderr } = await world.attempt('update', 'apply', 'tiny', world.script('probe', script), '--dry-run');
    const [, said = ''] = stderr.split('--- base tiny\n');
    return said;
  }

  beforeAll(async () => {
    world = new World('sandbox');
    const root = buildTiny(world.path('tiny'));
    buildProgram('system-calls.cc', join(root, 'usr/bin/probe'));
    await world.run('init');
    await world.run('base', 'import', 'tiny', root);
    await world.run('create', 'web', '--base', 'tiny');
  });
  afterAll(() => {
    world.remove();
  });

  const results = (said: string): Record<string, string> =>
    Object.fromEntries(
      said
        .trim()
        .split('\n')
        .map((line) => line.split(' ') as [string, string]),
    );
  const refused = {
    ...{ mount: 'EPERM', umount: 'EPERM', pivot_root: 'EPERM', fsopen: 'EPERM', open_tree: 'EPERM' },
    ...{ 'unshare-user': 'EPERM', 'unshare-files': '0', 'clone-user': 'EPERM', clone3: 'ENOSYS', setns: 'EPERM' },
    ...{ init_module: 'EPERM', kexec_load: 'EPERM', add_key: 'EPERM', keyctl: 'EPERM', bpf: 'EPERM' },
    ...{ perf_event_open: 'EPERM', open_by_handle_at: 'EPERM', io_uring_setup: 'EPERM' },
    ...{ syslog: 'EPERM', tiocsti: 'EPERM', tioclinux: 'EPERM', tcgets: 'EBADF', vsock: 'EPERM', unix: '0' },
  };

  it('refuses a procedure what reaches for the kernel', async () => {
    expect(results(await procedure('/usr/bin/probe'))).toEqual({ ...refused, ptrace: 'EPERM' });
  });

  it('refuses the same to a command in a container, but lets it be traced', async () => {
    expect(results(await world.inside('web', '/usr/bin/probe'))).toEqual({ ...refused, ptrace: '0' });
  });

  it('gives the capabilities of a package manager, and no way to others', async () => {
    const said = await procedure('grep -E "^(Cap|NoNewPrivs|Seccomp:)" /proc/self/status');
    const fields: Record<string, string> = Object.fromEntries(
      said
        .trim()
        .split('\n')
        .map((line) => line.split(/:\s+/) as [string, string]),
    );
    for (const set of ['CapPrm', 'CapEff', 'CapBnd']) expect(BigInt(`0x${fields[set] ?? ''}`)).toBe(granted);
    for (const set of ['CapInh', 'CapAmb']) expect(BigInt(`0x${fields[set] ?? ''}`)).toBe(0n);
    expect(fields).toMatchObject({ NoNewPrivs: '1', Seccomp: '2' });
  });

  it('lets a program lose its capabilities that leaves root but for the saved uid', async () => {
    const said = await procedure('/usr/bin/probe leave-root /bin/grep -E "^Cap(Prm|Eff|Amb)" /proc/self/status');
    expect(said.match(/\b0{16}\b/g)).toHaveLength(3);
  });

  it('shows no file, process or device of the host', async () => {
    const said = await procedure(
      `ls -d ${world.directory} ${checkout} 2>&1 | grep -c "No such" || true
       ls /proc | grep -c "^[0-9]" ; hostname
       mknod /srv/disk b 7 0 && { cat /srv/disk >/srv/copy; } 2>&1 | grep -o "Permission denied"
       mknod /tmp/null c 1 3 && { cat /tmp/null; } 2>&1 | grep -o "Permission denied"
       ls /dev | sort | tr "\\n" " "; ls -A /run /run/lamina | tr "\\n" " "`,
    );
    const [hidden, processes, ...others] = said.trim().split('\n');
    expect(hidden).toBe('2');
    expect(Number(processes)).toBeLessThan(8);
    expect(others).toEqual(
      [
        'lamina',
        'Permission denied',
        'Permission denied',
        'core fd full null ptmx pts random shm stderr stdin stdout tty urandom zero /run: lamina lock  /run/lamina: procedure ',
      ].map((line) => line.trim()),
    );
  });

  it('changes no setting of the kernel, and signals nobody outside', async () => {
    const said = await procedure(
      `for file in /proc/sys/vm/swappiness /proc/sys/kernel/core_pattern; do
         (cat $file >$file) 2>&1 | grep -o Read-only || echo written
       done
       kill -0 ${process.pid} 2>&1 | grep -o "No such process" || echo reached; ls -A /sys | wc -l`,
    );
    expect(said.trim().split('\n')).toEqual(['Read-only', 'Read-only', 'No such process', '0']);
  });

  it('has no network', async () => {
    const server = createServer((socket) => socket.end('host'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    try {
      const { port } = server.address() as AddressInfo;
      const said = await procedure(`grep -c : /proc/net/dev; nc 127.0.0.1 ${port} </dev/null 2>&1 || echo unreachable`);
      expect(said).toMatch(/^1\n/);
      expect(said).toMatch(/unreachable/);
      expect(said).not.toMatch(/host$/m);
    } finally {
      server.close();
    }
  });

  it('passes on no file that its caller has open', async () => {
    // Beyond a gap in the numbers, which is as far as Node looks for what it was started with.
    const through = ['bash', '-c', 'exec 9</ 20</ 251</; exec "$@"', 'bash'];
    const look = 'for n in 3 9 20 251; do [ ! -e /proc/self/fd/$n ] || echo "has $n"; done; echo looked';
    const run = await world.start(['run', 'web', '--', 'sh', '-c', look], { through }).finished;
    expect(run.stdout).toBe('looked\n');
    const script = world.script('probe', look);
    const update = await world.start(['update', 'apply', 'tiny', script, '--dry-run'], { through }).finished;
    expect(update.stderr).toMatch(/^looked$/m);
    expect(update.stderr).not.toMatch(/^has/m);
  });

  it('keeps its procedure from being changed', async () => {
    const before = readFileSync(world.script('probe', 'true'), 'utf8');
    const said = await procedure('echo changed 2>&1 >>/run/lamina/procedure || echo kept');
    expect(said).toMatch(/kept/);
    expect(before).not.toMatch(/changed/);
  });
});
