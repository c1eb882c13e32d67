import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ChannelUpdate } from '../../src/channel/index.js';
import type { Machine } from '../../src/fleet/index.js';
import { newMachine, outcomeReport, signedReport } from './fleet.js';
import type { World } from './lamina.js';

export interface FleetMachines {
  /** Has both updates. */
  readonly good: Machine;
  /** Has the first one; the second one failed. */
  readonly bad: Machine;
  /** Is enrolled, and has sent no report. */
  readonly silent: Machine;
  /** Reports, and is not enrolled. */
  readonly stranger: Machine;
}

/** The host name of the machine that fails: it is not to be trusted. */
export const nastyHost = '<b>bad</b>';

/** A channel with two updates, published from here, and machines that follow it, by what they would report. */
export async function fillChannel(world: World): Promise<{ channel: string; machines: FleetMachines }> {
  const channel = world.path('channel');
  await world.run('channel', 'init', channel, '--no-passphrase');
  const [first, second] = [await publish(world, channel, 'first-fix'), await publish(world, channel, 'second-fix')];
  const machines = { good: newMachine(), bad: newMachine(), silent: newMachine(), stranger: newMachine() };
  const { good, bad, silent, stranger } = machines;
  await world.run('channel', 'enroll', channel, good.key, bad.key, silent.key);
  mkdirSync(join(channel, 'reports'), { recursive: true });
  const send = (machine: Machine, bytes: Buffer) =>
    writeFileSync(join(channel, 'reports', `${machine.id}.json`), bytes, { mode: 0o644 });
  const done = [outcomeReport(first, 'applied'), outcomeReport(second, 'applied')];
  send(good, signedReport(good, done, { host: 'good.example' }));
  const failure = { error: { code: 'UNHEALTHY', message: 'container web is unhealthy', hint: 'see its log' } };
  send(
    bad,
    signedReport(bad, [done[0]!, outcomeReport(second, 'failed', failure)], { host: nastyHost, group: 'canary' }),
  );
  send(stranger, signedReport(stranger, done, { host: 'stranger.example' }));
  return { channel, machines };
}

async function publish(world: World, channel: string, name: string): Promise<ChannelUpdate> {
  const directory = world.makeDirectory(`package-${name}`);
  writeFileSync(join(directory, 'update.json'), JSON.stringify({ version: 1, name, procedure: 'run' }));
  writeFileSync(join(directory, 'run'), `#!/bin/sh\necho ${name} >/etc/${name}\n`, { mode: 0o755 });
  await world.run('package', 'build', directory, world.path(`${name}.tar`));
  return world.json('channel', 'publish', channel, world.path(`${name}.tar`), '--base', 'tiny', '--percent', '100');
}
