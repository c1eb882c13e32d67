import { spawn } from 'node:child_process';
import { existsSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { mapLimit } from '../../src/base/concurrency.js';
import { World, mayMount } from '../support/lamina.js';
import { Server } from '../support/serve-client.js';
import type { SentEvent } from '../support/serve-client.js';

/** As systemd.socket(5): a socket as descriptor 3, for the process that it becomes. */
const passesSocket = `
import os, socket, sys
mode, path = int(sys.argv[1], 8), sys.argv[2]
listener = socket.socket(socket.AF_UNIX)
listener.bind(path.replace('@', '\\0') if path.startswith('@') else path)
if not path.startswith('@'): os.chmod(path, mode)
listener.listen()
os.dup2(listener.fileno(), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_FDS='1', LISTEN_PID=str(os.getpid()))
os.execv(sys.argv[3], sys.argv[3:])
`;

/** What events say of a job. How the output is cut, and where between the progress it comes, depends on the moment. */
const contentOf = (events: readonly SentEvent[]) => ({
  output: events.map(({ data }) => (data as { text?: string }).text ?? '').join(''),
  progress: events.filter(({ event }) => event === 'progress').map(({ data }) => data),
  end: events.at(-1),
});

/** The server, by its unix socket, on real mounts. */
describe.skipIf(!mayMount)('lamina serve', () => {
  let world: World;
  let server: Server;
  let args: string[];
  const serve = async () => Server.start(world, args);

  beforeAll(async () => {
    world = new World('serve');
    await world.initWithTiny();
    for (const name of ['web', 'db']) await world.run('create', name, '--base', 'tiny');
    await world.inside('web', 'echo mine >>/etc/app.conf; echo a >/srv/a; printf x >"/srv/$(printf \'b\\377<b>\')"');
    await world.run('update', 'apply', 'tiny', world.script('first', 'echo first >/etc/first'));
    args = ['--listen', `unix:${world.path('serve.sock')}`, '--allow-changes'];
    server = await serve();
  });
  afterAll(async () => {
    await server.end();
    expect(world.mounts()).toEqual([]);
    world.remove();
  });
  beforeEach(async () => {
    if (!server.isRunning) server = await serve();
  });

  it('answers what the commands print', async () => {
    const same: [string, ...string[]][] = [
      ['/status', 'status'],
      ['/bases', 'base', 'list'],
      ['/bases/tiny', 'base', 'show', 'tiny'],
      ['/containers/web', 'status', 'web'],
      ['/containers/web/diff?path=/etc/app.conf', 'diff', 'web', '--path', '/etc/app.conf'],
      ['/containers/web/explain?path=%2Fetc%2Fapp.conf', 'explain', 'web', '/etc/app.conf'],
      ['/containers/db/processes', 'processes', 'db'],
      ['/updates/first', 'update', 'show', 'first'],
      ['/displaced', 'displaced', 'list'],
      ['/updates/first/output', 'log', 'first', '--output'],
      ['/graph', 'graph'],
    ];
    await mapLimit(same, 3, async ([path, ...words]) => {
      const [answer, printed] = await Promise.all([server.json(path), world.json(...words)]);
      expect(answer, path).toEqual(printed);
    });
    const parts: [string, ...string[]][] = [
      ['/containers', 'list'],
      ['/containers/web/changes', 'diff', 'web'],
      ['/updates?all=true', 'update', 'list', '--all'],
      ['/updates/first/log', 'log', 'first'],
    ];
    await mapLimit(parts, 3, async ([path, ...words]) => {
      const [answer, printed] = await Promise.all([server.json(path), world.json<object>(...words)]);
      expect(answer, path).toMatchObject(printed);
    });
    expect(await server.json('/containers/nobody')).toMatchObject({ error: { code: 'NO_CONTAINER' } });
  });

  it('answers long lists in parts, and names of any bytes', async () => {
    const { changes } = await world.json<{ changes: { path: string }[] }>('diff', 'web');
    const one = await server.json<{ changes: object[] }>('/containers/web/changes?offset=1&limit=1');
    expect(one).toMatchObject({ changes: [changes[1]], offset: 1, total: changes.length });
    const odd = changes.find(({ path }) => path.includes('<b>'))!;
    expect(odd.path).toBe('/srv/b\udcff<b>');
    expect(await server.json('/containers/web/diff?path=/srv/b%FF%3Cb%3E')).toMatchObject({
      change: { path: odd.path, change: 'add' },
    });
    const filtered = await server.json<{ containers: object[] }>('/containers?filter=name=w*&sort=-name&limit=1');
    expect(filtered).toMatchObject({ containers: [{ name: 'web' }], total: 1 });
    const { graph } = await server.json<{ graph: { nodes: object[] } }>('/graph?base=tiny');
    expect(graph.nodes.length).toBe((await world.json<{ nodes: object[] }>('status')).nodes.length);
  });

  it('applies, previews and rolls back by jobs, with events and an entry in the audit log', async () => {
    const procedure = world.script('second', 'echo said; echo second >/etc/second');
    const preview = await server.done('/updates/preview', { base: 'tiny', procedure });
    expect(preview).toMatchObject({ state: 'done', result: { update: null, preview: { base: { name: 'tiny' } } } });
    expect(world.manifest()).not.toContain('"second"');

    const job = await server.act('/updates', { base: 'tiny', procedure, containers: ['web'] });
    const events = await server.events(`/jobs/${job.id}/events`, ({ event }) => event === 'end');
    expect(events[0]).toMatchObject({ event: 'progress', data: { type: 'start', command: 'update apply' } });
    expect(contentOf(events).output).toContain('said\n');
    expect(events.at(-1)).toMatchObject({ event: 'end', data: { id: job.id, state: 'done', exitCode: 0 } });
    // From where a lost connection was; and nothing after the end.
    const [, second, ...rest] = events;
    expect(contentOf(await server.events(`/jobs/${job.id}/events`, () => false, second!.id))).toEqual(contentOf(rest));
    const after = await server.ask(`/api/v1/jobs/${job.id}/events`, {
      headers: { 'last-event-id': events.at(-1)!.id },
    });
    expect(after.status).toBe(204);
    expect((await server.job(job.id)).result).toEqual({
      formatVersion: 2,
      update: (await world.json<{ updates: { name: string }[] }>('update', 'list')).updates.at(-1),
    });

    expect(await server.done('/containers/db/catch-up', { dryRun: true })).toMatchObject({
      state: 'done',
      exitCode: 0,
    });
    expect(await server.done('/containers/db/catch-up', {})).toMatchObject({ result: { container: 'db' } });
    const plan = await server.done('/updates/second/rollback', { dryRun: true });
    expect(plan).toMatchObject({ result: { dryRun: true, updates: ['second'] } });
    expect(await server.done('/updates/second/rollback', {})).toMatchObject({ result: { dryRun: false } });
    expect(await server.done('/updates/second/rollback', {})).toMatchObject({ state: 'failed', exitCode: 3 });
    const { entries } = await server.json<{ entries: { action: string; outcome: string; by: string }[] }>('/audit');
    expect(entries.slice(0, 2)).toMatchObject([
      { action: 'rollback', outcome: 'failed', by: `unix socket, uid ${process.getuid!()}` },
      { action: 'rollback', outcome: 'done' },
    ]);
  });

  it('creates, checks, cleans, merges and removes', async () => {
    expect(await server.done('/containers', { name: 'new', base: 'tiny' })).toMatchObject({ result: { name: 'new' } });
    expect(await server.done('/verify', { nodes: ['new'], quick: true })).toMatchObject({ result: { damaged: false } });
    expect(await server.done('/gc', { dryRun: true })).toMatchObject({ result: { dryRun: true } });
    expect(await server.done('/bases/tiny/merge', { dryRun: true })).toMatchObject({ result: { dryRun: true } });
    expect(await server.done('/containers/new', undefined, 'DELETE')).toMatchObject({ result: { removed: 'new' } });
    const refused = await server.json('/updates', { method: 'POST', body: { base: 'tiny', procedure: 'up.sh' } });
    expect(refused).toMatchObject({ error: { code: 'USAGE' } });
    const option = await server.done('/containers/--help', undefined, 'DELETE');
    expect(option).toMatchObject({ state: 'failed', exitCode: 3 });
  });

  it('cancels a job, which takes back what it began', async () => {
    const before = world.manifest();
    const procedure = world.script('slow', 'echo began; sleep 60');
    const { id } = await server.act('/updates', { base: 'tiny', procedure });
    await server.events(`/jobs/${id}/events`, ({ data }) => String(data['text']).includes('began'));
    expect((await server.json<{ job: object }>(`/jobs/${id}`, { method: 'DELETE' })).job).toMatchObject({ id });
    expect(await server.ended(id)).toMatchObject({ state: 'cancelled', exitCode: 1 });
    expect(await server.json(`/jobs/${id}`, { method: 'DELETE' })).toMatchObject({ error: { code: 'JOB_ENDED' } });
    expect(world.manifest()).toBe(before);
  });

  it('goes on with its jobs after a crash, and says how those ended that did meanwhile', async () => {
    const waits = (name: string, seconds: number) =>
      world.script(name, `echo began; sleep ${seconds}; echo >/etc/${name}`);
    const begin = async (procedure: string) => {
      const { id } = await server.act('/updates', { base: 'tiny', procedure });
      const events = await server.events(`/jobs/${id}/events`, ({ data }) => String(data['text']).includes('began'));
      return { id, pid: Number(events[0]!.data['process']) };
    };
    const good = await begin(waits('good', 3));
    await server.end('SIGKILL');
    while (!world.manifest().includes('"good"')) await new Promise((resolve) => setTimeout(resolve, 50));
    server = await serve();
    expect(await server.ended(good.id)).toMatchObject({ state: 'done', result: { update: { name: 'good' } } });

    const killed = await begin(waits('killed', 60));
    await server.end('SIGKILL');
    process.kill(killed.pid, 'SIGKILL');
    server = await serve();
    expect(await server.ended(killed.id)).toMatchObject({ state: 'aborted', exitCode: null, result: null });
    const { entries } = await server.json<{ entries: object[] }>('/audit?limit=2');
    expect(entries).toMatchObject([
      { job: killed.id, outcome: 'aborted' },
      { job: good.id, outcome: 'done' },
    ]);
    expect(world.manifest()).not.toContain('"killed"');
    await world.run('recover');
  }, 60_000);

  it('notifies readers that the store has changed, also after a lost connection', async () => {
    const isStore = ({ event }: { event: string }) => event === 'store';
    const [first] = await server.events('/events', isStore);
    const later = server.events('/events', isStore, first!.id);
    await world.run('create', 'another', '--base', 'tiny');
    expect((await later).at(-1)!.data['generation']).toBe(Number(first!.data['generation']) + 1);
    const [again] = await server.events('/events', isStore, first!.id);
    expect(again!.data).toEqual((await later).at(-1)!.data);
    await world.run('remove', 'another');
  });

  it('counts for Prometheus', async () => {
    const mount = world.makeDirectory('mounted');
    await world.run('mount', 'web', mount);
    try {
      const { containers } = await world.json<{ containers: { state: string }[] }>('list', '--filter', 'base=tiny');
      const newest = containers.filter(({ state }) => state === 'newest').length;
      await server.done('/gc', { dryRun: true });
      const { text, headers } = await server.ask('/metrics');
      expect(headers['content-type']).toMatch(/^text\/plain; version=0\.0\.4/);
      expect(text).toContain(`\nlamina_containers{base="tiny",state="newest"} ${newest}\n`);
      expect(text).toMatch(/^lamina_containers_mounted\{base="tiny"\} 1$/m);
      expect(text).toMatch(/^lamina_update_effects\{base="tiny",outcome="skipped"\} [1-9]\d*$/m);
      expect(text).toMatch(/^lamina_saved_bytes\{base="tiny"\} [1-9]\d+$/m);
      expect(text).toMatch(/^lamina_driver_count\{count="messages"\} [1-9]\d*$/m);
      expect(text).toMatch(/^lamina_jobs\{state="done"\} [1-9]\d*$/m);
      expect(text).toMatch(/^lamina_http_requests_total\{status="202"\} [1-9]\d*$/m);
    } finally {
      await world.run('umount', 'web');
    }
  });

  it('finds the processes that run what was replaced', async () => {
    const mount = world.makeDirectory('processes');
    await world.run('create', 'old', '--base', 'tiny');
    await world.run('mount', 'old', mount);
    const shell = spawn('chroot', [mount, '/bin/sh', '-c', 'echo up; read x'], { stdio: ['pipe', 'pipe', 'inherit'] });
    try {
      await new Promise((resolve) => shell.stdout.once('data', resolve));
      const before = await server.json<{ processes: { process: number; restart: boolean }[] }>(
        '/containers/old/processes',
      );
      expect(before.processes).toMatchObject([{ process: shell.pid, restart: false, known: true, command: '/bin/sh' }]);
      rmSync(join(mount, 'bin/sh'));
      const after = await server.json<{ processes: object[] }>('/containers/old/processes');
      expect(after.processes).toMatchObject([{ process: shell.pid, restart: true, replaced: ['/bin/sh'] }]);
    } finally {
      shell.kill('SIGKILL');
      await new Promise((resolve) => shell.once('close', resolve));
      await world.run('umount', 'old');
      await world.run('remove', 'old');
    }
  });

  it('is alone on its store, by a socket of its owner', async () => {
    const socket = world.path('serve.sock');
    expect(statSync(socket).mode & 0o777).toBe(0o600);
    expect((await world.attempt('serve', ...args)).stderr).toMatch(/another lamina serve is running for the store/);
    expect((await world.attempt('serve', '--listen', '127.0.0.1:0')).stderr).toMatch(/needs a token file/);
    await server.end();
    expect(existsSync(socket)).toBe(false);
    const absent = await world.attempt('serve', '--listen', `unix:${world.path('absent/serve.sock')}`);
    expect([absent.code, absent.stderr]).toEqual([3, expect.stringContaining('absent/serve.sock does not exist')]);
    const long = await world.attempt('serve', '--listen', `unix:${world.path('s'.repeat(107))}`);
    expect([long.code, long.stderr]).toEqual([2, expect.stringMatching(/has more than 107 bytes/)]);
    writeFileSync(socket, 'a file');
    expect((await world.attempt('serve', ...args)).stderr).toMatch(/exists and is not a socket/);
    rmSync(socket);
    server = await serve();
    await server.end('SIGKILL');
    server = await serve();
    expect(await server.json('/store')).toMatchObject({ store: world.store, allowChanges: true, token: null });
  });

  it('listens on the socket that systemd passes, if not everybody may connect', async () => {
    await server.end();
    const served = (mode: string, path: string) => {
      const words = [process.execPath, world.cli, '--store', world.store, '--json', 'serve'];
      const child = spawn('python3', ['-c', passesSocket, mode, path, ...words], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      let printed = '';
      child.stdout.on('data', (chunk: Buffer) => (printed += chunk.toString()));
      return { child, ended: new Promise((resolve) => child.once('close', resolve)), printed: () => printed };
    };
    const path = world.path('passed.sock');
    const url = `unix:${path}`;
    const { child, ended, printed } = served('660', path);
    while (!printed().includes('}') && child.exitCode === null) await new Promise((resolve) => setTimeout(resolve, 10));
    expect(JSON.parse(printed())).toMatchObject({ served: url });
    const { text } = await Object.assign(Object.create(Server.prototype) as Server, { url }).ask('/');
    expect(text).toMatch(/<html|Lamina serves its API/i);
    child.kill('SIGTERM');
    await ended;
    for (const name of [world.path('open.sock'), '@lamina-open']) {
      const open = served('666', name);
      expect(await open.ended, name).toBe(4);
      expect(JSON.parse(open.printed())).toMatchObject({ error: { code: 'SOCKET_EXPOSED' } });
    }
  });
});
