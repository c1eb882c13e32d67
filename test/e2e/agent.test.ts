import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fromText } from '../../src/base/bytes.js';
import { promoteUpdate, publishUpdate, withdrawUpdate } from '../../src/channel/index.js';
import { ChannelWorld } from '../support/channels.js';
import { World, mayMount } from '../support/lamina.js';
import type { Started } from '../support/lamina.js';
import { writeSystemctl } from '../support/systemctl.js';
import { writeTar } from '../support/tar-writer.js';

interface Once {
  machine: string;
  bases: {
    base: string;
    version: number | null;
    updates: {
      name: string;
      outcome: string;
      containers: Record<string, number>;
      error: { code: string; message: string } | null;
    }[];
    stuck: { update: string; code: string } | null;
    reported: boolean;
    errors: { code: string; message: string }[];
  }[];
}

describe.skipIf(!mayMount)('a base that follows a channel', () => {
  const made: World[] = [];
  let world: World;
  let channel: ChannelWorld;
  const order = (container = 'web') => world.inside(container, 'cat /srv/order 2>/dev/null || true');

  async function publish(name: string, script: string, options: { group?: string; health?: object; to?: string } = {}) {
    const { group, health, to } = options;
    const file = channel.path(`${name}.tar`);
    const description = { version: 1, name, base: 'tiny', procedure: 'run', health, to };
    writeFileSync(
      file,
      writeTar([
        { name: 'update.json', content: JSON.stringify(description) },
        { name: 'run', mode: 0o755, content: `#!/bin/sh\nset -e\n${script}\n` },
      ]),
    );
    await publishUpdate({ ...channel.signing, package: fromText(file), base: 'tiny', group });
  }

  async function once(code: number, ...args: string[]): Promise<Once['bases'][number]> {
    const ended = await world.attempt('--json', 'agent', '--once', '--patience', '0', ...args);
    expect(ended.code, ended.stderr).toBe(code);
    return (JSON.parse(ended.stdout) as Once).bases[0]!;
  }
  const outcomes = ({ updates }: Once['bases'][number]) => updates.map(({ name, outcome }) => `${name} ${outcome}`);

  beforeAll(async () => {
    world = new World('agent');
    made.push(world);
    channel = new ChannelWorld(world.directory);
    await channel.make();
    writeFileSync(channel.path('root.json'), channel.root);
    await world.initWithTiny();
    await Promise.all(['web', 'db'].map((name) => world.run('create', name, '--base', 'tiny')));
    await publish('one', 'echo one >>/srv/order');
  });
  afterAll(() => {
    for (const each of made) each.remove();
  });

  it('applies what is new, in order, once', async () => {
    const root = channel.path('root.json');
    const followed = await world.json<{ machine: string; key: string; agentRuns: boolean }>(
      ...['follow', channel.public, '--base', 'tiny', '--root', root],
    );
    expect(followed).toMatchObject({ machine: expect.stringMatching(/^m-[0-9a-f]{32}$/) as string, agentRuns: false });
    expect(outcomes(await once(0))).toEqual(['one applied']);
    await publish('two', 'echo two >>/srv/order');
    await publish('three', 'echo three >>/srv/order');
    await publish('nothing', 'true');
    expect(outcomes(await once(0))).toEqual(['two applied', 'three applied', 'nothing unchanged']);
    expect(outcomes(await once(0))).toEqual([]);
    expect(await Promise.all([order('web'), order('db')])).toEqual(Array(2).fill('one\ntwo\nthree\n'));
  });

  it('rolls back what was withdrawn, and applies again what only stood on it', async () => {
    await world.inside('web', 'echo mine >/etc/mine');
    await withdrawUpdate({ ...channel.signing, update: 'two', withNewer: true });
    expect(outcomes(await once(0))).toEqual(['two rolled-back', 'three applied']);
    expect(await world.inside('web', 'cat /srv/order /etc/mine')).toBe('one\nthree\nmine\n');
    expect(outcomes(await once(0))).toEqual([]);
  });

  it('leaves an update that fails its health check, and all after it, until it is withdrawn or tried again', async () => {
    const health = { command: 'echo broken >&2; test -e /etc/mine-too' };
    await publish('sick', 'echo sick >>/srv/order', { health });
    await publish('later', 'echo later >>/srv/order');
    const before = world.manifest();
    const failed = await once(1);
    expect(outcomes(failed)).toEqual(['sick failed']);
    expect(failed.updates[0]?.error).toMatchObject({
      code: 'UNHEALTHY',
      message: expect.stringContaining('broken') as string,
    });
    expect(failed.updates[0]?.containers).toMatchObject({ failed: 2 });
    expect(failed.stuck).toMatchObject({ update: 'sick', code: 'FAILED_HERE' });
    expect(outcomes(await once(1))).toEqual([]);
    expect(world.manifest()).toBe(before);
    await Promise.all(['web', 'db'].map((name) => world.inside(name, 'touch /etc/mine-too')));
    expect(outcomes(await once(0, '--retry'))).toEqual(['sick applied', 'later applied']);
    expect(await order()).toBe('one\nthree\nsick\nlater\n');
  });

  it('leaves what was rolled back by hand, until it is asked to try again', async () => {
    await world.run('rollback', 'later');
    const left = await once(1);
    expect(outcomes(left)).toEqual([]);
    expect(left.stuck).toMatchObject({ update: 'later', code: 'ROLLED_BACK_HERE' });
    expect(outcomes(await once(0, '--retry'))).toEqual(['later applied']);
  });

  it('waits while a container is mounted, and outside of its window', async () => {
    await publish('five', 'echo five >>/srv/order');
    await world.run('mount', 'web', world.makeDirectory('mnt', 'web'));
    expect(outcomes(await once(1))).toEqual(['five waiting']);
    const now = new Date();
    // Opens in an hour and closes a minute after: never in the time that the test takes.
    const text = (hours: number, minutes: number) =>
      `${String((now.getHours() + hours) % 24).padStart(2, '0')}:${String(minutes).padStart(2, '0')}`;
    const window = `${text(2, 0)}-${text(2, 1)}`;
    await world.run('follow', channel.public, '--base', 'tiny', '--window', window);
    const closed = await world.attempt('agent', '--once');
    expect(closed.code).toBe(0);
    expect(closed.stderr).toContain(`update five waits for the maintenance window: ${window}`);
  });

  it('stops the units of its containers while it applies an update', async () => {
    const [programs, states] = [world.makeDirectory('programs'), world.makeDirectory('states')];
    const log = world.path('log');
    writeSystemctl(world, { programs, states, log });
    // The container is mounted still, as its unit would have it.
    writeFileSync(join(states, 'web'), world.store);
    await world.run('follow', channel.public, '--base', 'tiny', '--restart');
    const env = { PATH: `${programs}:${process.env['PATH'] ?? ''}` };
    const agent = async () => world.start(['agent', '--once', '--patience', '0'], { env }).finished;
    const first = await agent();
    expect(first.stderr).toContain('update five of base tiny: applied');
    expect(first.code).toBe(0);
    expect(readFileSync(log, 'utf8').split('\n')).toEqual([
      'show --property=Id,ActiveState,Environment lamina-db.service lamina-web.service',
      'stop lamina-web.service',
      'start lamina-web.service',
      '',
    ]);
    expect(readFileSync(world.path('mnt/web/srv/order'), 'utf8')).toMatch(/\nfive\n$/);
    // One that does not start is named.
    writeFileSync(join(states, 'no-start'), '');
    await publish('units', 'echo units >>/srv/order');
    const second = await agent();
    expect(second.stderr).toContain('unit lamina-web.service does not start: ');
    expect(second.stderr).toContain('update units of base tiny: applied');
    // Without an update none is stopped.
    rmSync(log);
    expect(await agent()).toMatchObject({ code: 0 });
    expect(existsSync(log)).toBe(false);
    await world.run('follow', channel.public, '--base', 'tiny');
  });

  it('is not offered what is for another group', async () => {
    await publish('canary', 'echo canary >>/srv/order', { group: 'canary' });
    const waits = await once(0);
    expect(waits.stuck).toMatchObject({ update: 'canary', code: 'NOT_OFFERED' });
    await promoteUpdate({ ...channel.signing, update: 'canary', percent: 100 });
    expect(outcomes(await once(0))).toEqual(['canary applied']);
  });

  it('has a key that only its owner can read', () => {
    const agent = join(world.store, 'agent');
    expect(statSync(agent).mode & 0o777).toBe(0o700);
    expect(statSync(join(agent, 'key')).mode & 0o777).toBe(0o600);
  });

  /** What a program said on standard error, when it has said it. */
  async function heard({ child }: Started, pattern: RegExp): Promise<string> {
    let text = '';
    return new Promise((resolve, reject) => {
      child.stderr?.on('data', (chunk: Buffer) => {
        text += chunk.toString();
        const [, found] = pattern.exec(text) ?? [];
        if (found !== undefined) resolve(found);
      });
      child.once('close', () => {
        reject(new Error(`it ended, and said: ${text}`));
      });
    });
  }

  it('is notified, reports, and ends at a signal', async () => {
    const directory = channel.path('channel');
    const receiver = world.start(['--json', 'channel', 'receive', directory, '--listen', '0']);
    const agents: Started[] = [];
    try {
      const address = await heard(receiver, /receiving reports at (http:\S+)\/reports/);
      const words = ['follow', channel.public, '--base', 'tiny', '--group', 'canary', '--interval', '3600'];
      await world.run(...words, '--report', `${address}/reports`, '--events', `${address}/events`);
      // Not enrolled: refused, and nothing but the report fails.
      const stranger = await once(1);
      expect(stranger).toMatchObject({ reported: false, errors: [{ code: 'REPORT_NOT_SENT' }] });
      const { key, machine } = await world.json<{ key: string; machine: string }>('follow');
      await world.run('channel', 'enroll', directory, key);
      expect((await once(0)).reported).toBe(true);
      expect((await once(0)).reported).toBe(false);

      const agent = world.start(['agent', '--listen', '0', '--spread', '0', '--patience', '0']);
      agents.push(agent);
      const port = await heard(agent, /receiving notifications at (http:\S+)/);
      await publish('six', 'echo six >>/srv/order', { group: 'canary' });
      await agent.said('update six of base tiny: applied');
      await publish('seven', 'echo seven >>/srv/order', { group: 'canary', health: { command: 'false' } });
      await fetch(port, { method: 'POST', body: '{}' });
      await agent.said('update seven of base tiny: failed');
      const status = await reported(directory, 'seven');
      expect(status.machines).toMatchObject({
        enrolled: 1,
        reporting: 1,
        strangers: { count: 0 },
        refused: { count: 0 },
      });
      expect(status.updates.slice(0, 2)).toMatchObject([
        { name: 'seven', offered: 1, done: 0, failed: 1, failures: [{ machine, code: 'UNHEALTHY' }] },
        { name: 'six', offered: 1, done: 1, failed: 0 },
      ]);
      expect(await world.attempt('agent', '--once')).toMatchObject({
        code: 4,
        stderr: expect.stringContaining('another lamina agent') as string,
      });
      agent.child.kill('SIGTERM');
      expect(await agent.finished).toMatchObject({ code: 0, signal: null });
    } finally {
      for (const { child } of [receiver, ...agents]) child.kill('SIGTERM');
    }
    const { code, stdout } = await receiver.finished;
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ refused: 1 });
  });

  interface Status {
    machines: object;
    updates: { name: string; failed: number }[];
  }

  /** The status, once a failure of an update was reported: the agent says first what it did, and reports it then. */
  async function reported(directory: string, update: string): Promise<Status> {
    for (;;) {
      const status = await world.json<Status>('channel', 'status', directory);
      if (status.updates.some(({ name, failed }) => name === update && failed > 0)) return status;
      await sleep(100);
    }
  }

  it('is followed no more', async () => {
    const refused = await world.attempt('follow', channel.public, '--base', 'tiny', '--events', 'file:///etc/passwd');
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining('--events') as string });
    const login = await world.attempt(
      ...['follow', channel.public, '--base', 'tiny', '--report', 'http://robot:secret@updates.example/reports'],
    );
    expect(login).toMatchObject({ code: 2, stderr: expect.stringContaining('the address has a login') as string });
    expect(login.stderr).not.toContain('secret');
    const often = await world.attempt('follow', channel.public, '--base', 'tiny', '--interval', '0.01');
    expect(often).toMatchObject({ code: 2, stderr: expect.stringContaining('--interval 0.01: give 1') as string });
    // What the base has does not change with how it follows.
    const follow = async (...words: string[]) =>
      (
        await world.json<{ follows: { after: number; group: string | null }[] }>(
          ...['follow', channel.public, '--base', 'tiny', ...words],
        )
      ).follows;
    expect(await follow('--after', '3', '--group', 'canary')).toMatchObject([{ after: 3, group: 'canary' }]);
    expect(await follow()).toMatchObject([{ after: 3, group: null }]);
    expect(await follow('--after', '0')).toMatchObject([{ after: 0 }]);
    const rootless = await world.attempt('follow', channel.public, '--base', 'tiny', '--root', '/absent.json');
    expect(rootless).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('no root metadata at /absent.json') as string,
    });
    await world.run('unfollow', 'tiny');
    expect((await world.json<Once>('agent', '--once')).bases).toEqual([]);
    expect(await world.attempt('unfollow', 'tiny')).toMatchObject({ code: 3 });
    expect(readFileSync(join(world.store, 'manifest.json'), 'utf8')).toContain('"six"');
  });
});
