import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { World, buildTiny, mayMount } from '../support/lamina.js';
import { Server } from '../support/serve-client.js';
import { expectSoon } from '../support/soon.js';

/** Has the lock of a store until its input ends: commands wait for it, and a test decides when they go on. */
const holdsLock = `
import fcntl, sys
lock = open(sys.argv[1], 'a')
fcntl.flock(lock, fcntl.LOCK_EX)
print('held', flush=True)
sys.stdin.read()
`;

/** How jobs end that are cancelled or killed, and how many there may be. */
describe.skipIf(!mayMount)('jobs of lamina serve', () => {
  let world: World;
  let server: Server;
  const serve = async () => Server.start(world, ['--listen', `unix:${world.path('serve.sock')}`, '--allow-changes']);

  beforeAll(async () => {
    world = new World('serve-jobs');
    await world.run('init');
    await world.run('base', 'import', 'tiny', buildTiny(world.path('tiny')));
    for (const name of ['web', 'db']) await world.run('create', name, '--base', 'tiny');
    server = await serve();
  });
  beforeEach(async () => {
    if (!server.isRunning) server = await serve();
  });
  afterAll(async () => {
    await server.end();
    expect(world.mounts()).toEqual([]);
    world.remove();
  });

  async function withStoreHeld<T>(work: () => Promise<T>): Promise<T> {
    const holder: ChildProcess = spawn('python3', ['-c', holdsLock, join(world.store, 'lock')], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    await new Promise((resolve) => holder.stdout!.once('data', resolve));
    try {
      return await work();
    } finally {
      const ended = new Promise((resolve) => holder.once('close', resolve));
      holder.stdin!.end();
      await ended;
    }
  }

  const begun = async (id: string) =>
    server.events(`/jobs/${id}/events`, ({ data }) => data['type'] === 'start' && Number(data['process']) > 1);
  /** A program that is still being loaded is ended by a signal, and reports nothing. */
  const takesSignals = async (id: string) => {
    const process = String((await begun(id)).at(-1)!.data['process']);
    const caught = /^SigCgt:\s+([0-9a-f]+)$/m;
    await expectSoon(() => {
      const handlers = BigInt(`0x${caught.exec(readFileSync(`/proc/${process}/status`, 'utf8'))![1]!}`);
      return ((handlers >> BigInt(constants.signals.SIGTERM - 1)) & 1n) === 1n;
    }, 'a handler of SIGTERM');
  };
  const cancel = async (id: string) => server.json(`/jobs/${id}`, { method: 'DELETE' });
  const audited = async (id: string) => {
    const { entries } = await server.json<{ entries: { job: string; action: string }[] }>('/audit');
    return entries.find(({ job, action }) => job === id && action !== 'cancel');
  };

  it('are cancelled before they have removed anything', async () => {
    for (const n of [1, 2, 3]) mkdirSync(join(world.store, `nodes/s-00000000000000f${n}`), { recursive: true });
    const before = world.manifest();
    const [gc, remove] = await withStoreHeld(async () => {
      const all = [await server.act('/gc', {}), await server.act('/containers/web', undefined, 'DELETE')];
      for (const { id } of all) await takesSignals(id);
      // Until they wait for the store.
      await new Promise((resolve) => setTimeout(resolve, 500));
      for (const { id } of all) await cancel(id);
      // While it is held: no command waits on.
      for (const { id } of all)
        expect(await server.ended(id)).toMatchObject({
          state: 'cancelled',
          exitCode: 1,
          message: 'interrupted by SIGTERM; nothing was changed',
        });
      return all;
    });
    expect(world.manifest()).toBe(before);
    for (const { id } of [gc!, remove!]) expect(await audited(id)).toMatchObject({ outcome: 'cancelled' });
    expect(await server.done('/gc', {})).toMatchObject({ state: 'done', message: null });
  });

  it.each([0, 100, 200, 300, 400, 500, 600, 800])(
    'leave a whole store when they are cancelled %d ms after they began, or killed',
    async (after) => {
      const procedure = world.script(`at-${after}`, `echo ${after} >/etc/at`);
      const [applied, mounted] = [
        await server.act('/updates', { base: 'tiny', procedure }),
        await server.act('/containers/db/mount', { directory: world.makeDirectory(`at-${after}-mount`) }),
      ];
      await new Promise((resolve) => setTimeout(resolve, after));
      for (const { id } of [applied, mounted]) await cancel(id);
      const update = await server.ended(applied.id);
      const mount = await server.ended(mounted.id);
      expect(['done', 'cancelled', 'failed']).toContain(update.state);
      expect(world.manifest().includes(`"at-${after}"`)).toBe(update.state === 'done');
      for (const job of [update, mount]) {
        if (job.state === 'done') expect(job).toMatchObject({ exitCode: 0, message: null });
        else
          expect(job.message).toMatch(
            /interrupted by SIGTERM; nothing was changed|ended without a report|in use|mounted/,
          );
        expect(await audited(job.id)).toMatchObject({ outcome: job.state });
      }
      await world.attempt('umount', 'db');
      const other = world.script(`other-${after}`, `echo other ${after} >/etc/at`);
      const killed = await server.act('/updates', { base: 'tiny', procedure: other, name: `kill-${after}` });
      const [first] = await begun(killed.id);
      await new Promise((resolve) => setTimeout(resolve, after));
      try {
        process.kill(Number(first!.data['process']), 'SIGKILL');
      } catch {
        // It has ended before.
      }
      const end = await server.ended(killed.id);
      expect(['done', 'aborted'], end.message ?? '').toContain(end.state);
      if (end.state === 'done') expect(world.manifest()).toContain(`"kill-${after}"`);
      await world.run('recover');
      expect(await world.json('verify')).toMatchObject({ damaged: false });
    },
    60_000,
  );

  it('are so many at once, and dry runs leave room for others', async () => {
    await withStoreHeld(async () => {
      const busy = { error: { code: 'BUSY', message: expect.stringMatching(/^\d .* are running already$/) as string } };
      const dry = () => server.json('/gc', { method: 'POST', body: { dryRun: true } });
      for (let n = 0; n < 5; n++) expect(await dry()).toHaveProperty('job');
      expect(await dry()).toMatchObject(busy);
      const make = (name: string) => server.json('/containers', { method: 'POST', body: { name, base: 'tiny' } });
      const made = await Promise.all(['a', 'b', 'c'].map(make));
      for (const each of made) expect(each).toHaveProperty('job');
      expect(await make('d')).toMatchObject(busy);
      const flood = await Promise.all(Array.from({ length: 200 }, (_, n) => make(`e-${n}`)));
      for (const each of flood) expect(each).toMatchObject(busy);
    });
    const { jobs } = await server.json<{ jobs: { id: string }[] }>('/jobs');
    for (const { id } of jobs) await server.ended(id);
    const { entries } = await server.json<{ entries: { outcome: string }[] }>('/audit?limit=1000');
    expect(entries.filter(({ outcome }) => outcome === 'refused').length).toBeLessThanOrEqual(30);
    expect(entries.filter(({ outcome }) => outcome === 'running')).toEqual([]);
  });

  it('are followed by three hundred readers of one, beside whom others are answered', async () => {
    const procedure = world.script('spoken', 'for i in 1 2 3 4 5 6 7 8; do echo line $i; sleep 0.2; done');
    const { id } = await server.act('/updates/preview', { base: 'tiny', procedure });
    const readers = Array.from({ length: 300 }, async () =>
      server.events(`/jobs/${id}/events`, ({ event }) => event === 'end'),
    );
    expect(await server.json('/store')).toMatchObject({ store: world.store });
    const output = (events: Awaited<(typeof readers)[0]>) =>
      events.map(({ data }) => (data as { text?: string }).text ?? '').join('');
    for (const events of await Promise.all(readers)) {
      expect(output(events)).toContain('line 8\n');
      expect(events.at(-1)).toMatchObject({ event: 'end', data: { state: 'done' } });
    }
  });

  it('show how they ended, though the server was killed at any moment', async () => {
    const states: string[] = [];
    for (const after of [0, 20, 50, 100, 200, 400, 800]) {
      const name = `moment-${after}`;
      const procedure = world.script(name, `echo >/etc/${name}`);
      const asked = server.json<{ job?: { id: string } }>('/updates', {
        method: 'POST',
        body: { base: 'tiny', procedure },
      });
      // The answer may be lost with the server.
      asked.catch(() => undefined);
      await new Promise((resolve) => setTimeout(resolve, after));
      await server.end('SIGKILL');
      server = await serve();
      const { jobs } = await server.json<{ jobs: { id: string; request: { procedure?: string } }[] }>('/jobs');
      for (const { id } of jobs) await server.ended(id);
      const job = jobs.find(({ request }) => request.procedure === procedure);
      const state = job === undefined ? 'none' : (await server.job(job.id)).state;
      states.push(state);
      expect(['done', 'aborted', 'none']).toContain(state);
      expect(world.manifest().includes(`"${name}"`)).toBe(state === 'done');
      if (job !== undefined) expect(await audited(job.id)).toMatchObject({ outcome: state });
    }
    expect(states).toContain('done');
    const { entries } = await server.json<{ entries: { outcome: string; job: string | null }[] }>('/audit?limit=1000');
    const { jobs } = await server.json<{ jobs: { id: string; state: string }[] }>('/jobs');
    expect(jobs.filter(({ state }) => state === 'running')).toEqual([]);
    process.stderr.write(`serve: killed at different moments, jobs are ${states.join(', ')}\n`);
    expect(entries.filter(({ outcome }) => outcome === 'running')).toEqual([]);
  }, 120_000);
});
