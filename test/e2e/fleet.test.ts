import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mapLimit } from '../../src/base/concurrency.js';
import { hasAll } from '../support/exports.js';
import { World, copyTree, isRoot, start } from '../support/lamina.js';
import type { Started } from '../support/lamina.js';
import { Network } from '../support/network.js';

/** On each machine: `LAMINA_FLEET_CONTAINERS=10` for more of them. */
const containers = Number(process.env['LAMINA_FLEET_CONTAINERS'] ?? '2');
const hosts = ['a', 'b', 'c'] as const;
type Host = (typeof hosts)[number];
const server = '10.77.0.1';

interface Round {
  bases: {
    updates: { name: string; outcome: string }[];
    stuck: { update: string; code: string } | null;
    reported: boolean;
  }[];
}
interface Status {
  machines: { enrolled: number; reporting: number; strangers: { count: number }; refused: { count: number } };
  updates: {
    name: string;
    offered: number;
    done: number;
    failed: number;
    waiting: number;
    rolledBack: number;
    remaining: number;
    withdrawn: boolean;
  }[];
}

/** What carries the channel, and the words that commands need for it. */
interface Carried {
  readonly url: string;
  readonly push: boolean;
  readonly follow: readonly string[];
  readonly reports: readonly string[];
}

const nginx: Carried = {
  url: `http://${server}:8080`,
  push: false,
  follow: ['--report', `http://${server}:8088/reports`],
  reports: [],
};
const oci = `oci://${server}:5000/fleet/tiny`;
const registry: Carried = {
  url: oci,
  push: true,
  follow: ['--plain-http'],
  reports: ['--reports', oci, '--plain-http'],
};

/** Three machines with containers, and one that publishes, by the commands of docs/following.md. */
describe.skipIf(!isRoot || !hasAll('ip', 'nginx', 'docker-registry'))('a fleet', () => {
  let world: World;
  let network: Network;
  let running: Started[] = [];
  const made: { remove(): void }[] = [];

  const channel = () => world.path('channel');
  const lamina = (host: Host | 'server', ...words: string[]) => {
    const store = host === 'server' ? world.store : world.path(host);
    return world.start(['--store', store, ...words], { through: network.on(host) }).finished;
  };
  async function json<T>(host: Host | 'server', ...words: string[]): Promise<T> {
    const done = await lamina(host, '--json', ...words);
    if (done.code !== 0) throw new Error(`lamina ${words.join(' ')} ended with ${String(done.code)}: ${done.stderr}`);
    return JSON.parse(done.stdout) as T;
  }

  async function serve(carried: Carried): Promise<void> {
    if (carried === registry) {
      const [config, data] = [world.path('registry.yml'), world.makeDirectory('registry')];
      writeFileSync(
        config,
        `version: 0.1\nhttp: {addr: "${server}:5000"}\nstorage: {filesystem: {rootdirectory: ${data}}}\n`,
      );
      running.push(start('docker-registry', ['serve', config], { through: network.on('server') }));
      await answers(`http://${server}:5000/v2/`, running.at(-1)!);
      return;
    }
    const directory = world.makeDirectory('nginx');
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
      (each) => `${each}_temp_path ${directory}/${each};`,
    );
    writeFileSync(
      join(directory, 'nginx.conf'),
      `daemon off; master_process off; pid ${directory}/pid; error_log ${directory}/error.log; events {}
http { access_log off; ${temporary.join(' ')} server { listen ${server}:8080; root ${channel()}/public; } }`,
    );
    const words = ['-c', join(directory, 'nginx.conf'), '-p', directory];
    const web = start('nginx', words, { through: network.on('server') });
    running.push(web);
    await answers(`${carried.url}/metadata/timestamp.json`, web);
    const receive = ['channel', 'receive', channel(), '--listen', `${server}:8088`];
    const receiver = world.start(receive, { through: network.on('server') });
    running.push(receiver);
    await receiver.said('receiving reports');
  }

  /** Waits until a server in the network answers at all. */
  async function answers(url: string, by: Started): Promise<void> {
    const ask = `fetch(process.argv[1]).then(() => process.exit(0), () => process.exit(1))`;
    while ((await start(process.execPath, ['-e', ask, url], { through: network.on('server') }).finished).code !== 0) {
      if (by.child.exitCode !== null) throw new Error(`the server of ${url} ended: ${(await by.finished).stderr}`);
      await sleep(50);
    }
  }

  /** Of an update that no container with /etc/special is healthy with, if it is the bad one. */
  async function build(name: string): Promise<void> {
    const directory = world.makeDirectory('packages', name);
    const health = name === 'bad' ? { health: { command: 'test ! -e /etc/special' } } : {};
    const description = { version: 1, name, base: 'tiny', procedure: 'run', ...health };
    writeFileSync(join(directory, 'update.json'), JSON.stringify(description));
    writeFileSync(join(directory, 'run'), `#!/bin/sh\necho ${name} >>/srv/order\n`, { mode: 0o755 });
    await world.run('package', 'build', directory, world.path(`${name}.tar`));
  }
  const sign = async (name: string, ...options: string[]) =>
    world.run('channel', 'publish', channel(), world.path(`${name}.tar`), '--base', 'tiny', ...options);
  async function publish(carried: Carried, name: string, ...options: string[]): Promise<void> {
    await sign(name, ...options);
    await push(carried);
  }
  async function push(carried: Carried): Promise<void> {
    if (carried.push) await json('server', 'channel', 'push', channel(), carried.url, '--plain-http');
  }
  async function promote(carried: Carried, name: string, rule: string): Promise<string> {
    const words = ['channel', 'promote', channel(), name, '--when', rule, '--steps', '100', ...carried.reports];
    const { action } = await json<{ action: string }>('server', ...words);
    if (action === 'raise' || action === 'withdraw') await push(carried);
    return action;
  }
  const status = async (carried: Carried, name: string) => {
    const found = await json<Status>('server', 'channel', 'status', channel(), ...carried.reports);
    return { ...found, update: found.updates.find((each) => each.name === name) };
  };

  /** Agents at once, as machines are; gives what each did. */
  async function agents(...of: Host[]): Promise<string[]> {
    const rounds = await Promise.all(
      of.map(async (host) => JSON.parse((await lamina(host, '--json', 'agent', '--once')).stdout) as Round),
    );
    return rounds.map(({ bases: [base] }, i) => {
      const { updates, stuck } = base!;
      const did = updates.map(({ name, outcome }) => ` ${name} ${outcome}`).join('');
      return `${of[i] ?? ''}:${did}${stuck === null ? '' : ` | ${stuck.update} ${stuck.code}`}`;
    });
  }
  const order = async (host: Host) =>
    (await lamina(host, 'run', 'c0', '--', 'cat', '/srv/order')).stdout.split('\n').slice(0, -1);

  beforeAll(async () => {
    world = new World('fleet');
    made.push(world);
    network = new Network(['server', ...hosts]);
    made.push(network);
    await world.initWithTiny();
    for (let i = 0; i < containers; i++) await world.run('create', `c${String(i)}`, '--base', 'tiny');
    await mapLimit(['one', 'two', 'bad', 'three', 'four', 'five'], 2, build);
  }, 600_000);
  afterAll(() => {
    for (const each of made.reverse()) each.remove();
  });

  it.each([
    ['nginx', nginx, ['three', 'four', 'five']],
    ['a registry', registry, ['three', 'four']],
  ])('follows a channel on %s', { timeout: 900_000 }, async (_, carried, more) => {
    running = [];
    for (const host of hosts) {
      rmSync(world.path(host), { recursive: true, force: true });
      copyTree(world.store, world.path(host));
    }
    rmSync(channel(), { recursive: true, force: true });
    await world.run('channel', 'init', channel(), '--no-passphrase');
    try {
      await serve(carried);
      await publish(carried, 'one');
      const root = join(channel(), 'public/metadata/1.root.json');
      const follow = async (host: Host) => {
        const group = host === 'c' ? [] : ['--group', 'canary'];
        const words = ['follow', carried.url, '--base', 'tiny', '--root', root, ...group, ...carried.follow];
        return (await json<{ key: string }>(host, ...words)).key;
      };
      await world.run('channel', 'enroll', channel(), ...(await Promise.all(hosts.map(follow))));
      expect(await agents('a', 'b', 'c')).toEqual(['a: one applied', 'b: one applied', 'c: one applied']);

      // To the canaries, and from there to all.
      await publish(carried, 'two', '--group', 'canary');
      expect(await agents('a', 'b', 'c')).toEqual(['a: two applied', 'b: two applied', 'c: | two NOT_OFFERED']);
      const rule = 'canary: 100% ok for 1s, failures < 1, machines >= 2';
      expect(await promote(carried, 'two', rule)).toBe('wait');
      await expect.poll(() => promote(carried, 'two', rule), { timeout: 60_000 }).toBe('raise');
      expect(await agents('c')).toEqual(['c: two applied']);
      expect((await status(carried, 'two')).update).toMatchObject({ offered: 3, done: 3, failed: 0, waiting: 0 });

      // One container of one canary is unhealthy with it: nobody else ever sees it, and the other canary rolls it back.
      const special = lamina('a', 'run', `c${String(containers - 1)}`, '--', 'touch', '/etc/special');
      await Promise.all([special, publish(carried, 'bad', '--group', 'canary')]);
      expect(await agents('a', 'b')).toEqual(['a: bad failed | bad FAILED_HERE', 'b: bad applied']);
      expect(await promote(carried, 'bad', 'canary: 100% ok for 1h, failures < 1')).toBe('withdraw');
      expect(await agents('a', 'b', 'c')).toEqual(['a:', 'b: bad rolled-back', 'c:']);
      const halted = await status(carried, 'bad');
      expect(halted.update).toMatchObject({ withdrawn: true, failed: 1, rolledBack: 1, remaining: 0 });
      expect(halted.machines).toMatchObject({
        enrolled: 3,
        reporting: 3,
        strangers: { count: 0 },
        refused: { count: 0 },
      });

      // Machines that were off for some updates.
      for (const name of more) await sign(name);
      await push(carried);
      const all = more.map((name) => ` ${name} applied`).join('');
      expect(await agents('c')).toEqual([`c:${all}`]);
      expect(await agents('a', 'b', 'c')).toEqual([`a:${all}`, `b:${all}`, 'c:']);
      expect(await Promise.all(hosts.map(order))).toEqual(hosts.map(() => ['one', 'two', ...more]));
    } finally {
      for (const { child } of running) child.kill('SIGTERM');
      await Promise.all(running.map(({ finished }) => finished));
    }
  });
});
