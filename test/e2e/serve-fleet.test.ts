import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { World } from '../support/lamina.js';
import { fillChannel, nastyHost } from '../support/fleet-world.js';
import type { FleetMachines } from '../support/fleet-world.js';
import { Server } from '../support/serve-client.js';

interface Listed {
  readonly machines: readonly { readonly machine: string; readonly host: string | null }[];
  readonly total: number;
}

describe('lamina serve --channel', () => {
  let world: World;
  let server: Server;
  let channel: string;
  let machines: FleetMachines;

  beforeAll(async () => {
    world = new World('serve-fleet');
    await world.run('init');
    ({ channel, machines } = await fillChannel(world));
    server = await Server.start(world, ['--listen', `unix:${world.path('serve.sock')}`, '--channel', channel]);
  });
  afterAll(async () => {
    await server.end();
    world.remove();
  });

  it('answers what channel status prints, by update', async () => {
    const [answer, printed] = [await server.json('/fleet'), await world.json('channel', 'status', channel)];
    expect(answer).toEqual(printed);
    expect(answer).toMatchObject({
      machines: { enrolled: 3, reporting: 2, silent: [machines.silent.id], strangers: { count: 1 } },
      updates: [
        { name: 'second-fix', offered: 2, done: 1, failed: 1, failures: [{ host: nastyHost, code: 'UNHEALTHY' }] },
        { name: 'first-fix', offered: 2, done: 2, failed: 0 },
      ],
    });
    expect(await server.json<{ updates: object[] }>('/fleet?updates=1')).toMatchObject({
      updates: [{ name: 'second-fix' }],
    });
  });

  it('answers what channel machines prints, by machine, in parts', async () => {
    const answer = await server.json<Listed>('/fleet/machines');
    expect(answer).toMatchObject(await world.json<object>('channel', 'machines', channel));
    expect(answer.machines.map(({ host }) => host)).toEqual([nastyHost, 'good.example', null]);
    expect(answer.machines[0]).toMatchObject({
      machine: machines.bad.id,
      group: 'canary',
      outcomes: { applied: 1, failed: 1 },
      newest: { name: 'second-fix', outcome: 'failed' },
      failure: { update: 'second-fix', message: 'container web is unhealthy' },
    });
    expect(await server.json('/fleet/machines?offset=1&limit=1')).toMatchObject({
      machines: [{ host: 'good.example' }],
      total: 3,
    });
    const text = await world.run('channel', 'machines', channel);
    expect(text).toMatch(/good\.example[^\n]*second-fix: applied/);
    expect(text).toMatch(new RegExp(`${machines.silent.id}[^\n]*never`));
  });

  it('answers the report of one machine', async () => {
    const { id } = machines.bad;
    const answer = await server.json(`/fleet/machines/${id}`);
    expect(answer).toEqual(await world.json('channel', 'machines', channel, id));
    expect(answer).toMatchObject({ updates: [{ name: 'second-fix', error: { hint: 'see its log' } }, {}] });
    expect(await world.run('channel', 'machines', channel, id)).toMatch(/second-fix: container web is unhealthy/);
    expect(await server.json(`/fleet/machines/${machines.silent.id}`)).toMatchObject({ reported: null, updates: [] });
    for (const other of [machines.stranger.id, '--help', '..'])
      expect(await server.json(`/fleet/machines/${encodeURIComponent(other)}`), other).toMatchObject({
        error: expect.objectContaining({ message: expect.any(String) as string }) as object,
      });
  });

  it('refuses a directory that has no channel', async () => {
    const attempt = await world.attempt('serve', '--channel', world.makeDirectory('empty'));
    expect(attempt).toMatchObject({ code: 3 });
    expect(attempt.stderr).toMatch(/has no channel/);
    expect((await world.attempt('serve', '--reports', '/x')).stderr).toMatch(/does nothing without --channel/);
  });
});
