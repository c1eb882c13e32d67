import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { fewestForThreads } from '../../src/fleet/report-threads.js';
import { limits } from '../../src/base/limits.js';
import { enroll, reportPath } from '../../src/fleet/index.js';
import { fromText } from '../../src/base/bytes.js';
import { ChannelWorld } from '../support/channels.js';
import { newMachine, outcomeReport, signedReport, updateNumber } from '../support/fleet.js';
import { World } from '../support/lamina.js';

const world = new World('fleet-status');
const channel = new ChannelWorld(world.directory);
const directory = join(channel.directory, 'channel');
/** So many that threads read them. */
const count = fewestForThreads + 20;

interface Status {
  machines: {
    enrolled: number;
    reporting: number;
    silent: string[];
    strangers: { count: number };
    refused: { count: number; first: { path: string; reason: string }[] };
  };
  updates: { name: string; offered: number; done: number; failed: number }[];
}

beforeAll(async () => {
  await channel.make();
  const published = await channel.publish('one');
  mkdirSync(join(directory, 'reports'));
  const machines = Array.from({ length: count }, newMachine);
  const update = updateNumber(1, published);
  machines.forEach((machine, i) => {
    const report = signedReport(machine, [outcomeReport(update, i < 5 ? 'failed' : 'applied')], { base: 'debian' });
    if (i > 0) writeFileSync(join(directory, reportPath(machine.id)), report);
  });
  // The first has sent none, and the last is a stranger.
  const keys = machines.slice(0, -1).map(({ key }) => key);
  await enroll(fromText(join(directory, 'machines.json')), keys, 'operator');
});
afterAll(() => world.remove());

it('channel status reads the reports of a large fleet in threads, and none that is no report', async () => {
  const at = (name: string) => join(directory, 'reports', name);
  const id = (digit: string) => `m-${digit.repeat(32)}.json`;
  const first = (await world.json<Status>('channel', 'status', directory)).machines;
  expect(first).toMatchObject({ enrolled: count - 1, reporting: count - 2, strangers: { count: 1 } });
  expect(first.silent).toHaveLength(1);
  expect(first.refused.count).toBe(0);

  const [other = ''] = spawnSync('ls', [join(directory, 'reports')], { encoding: 'utf8' }).stdout.split('\n');
  writeFileSync(at(id('1')), readFileSync(at(other)));
  writeFileSync(at(id('2')), Buffer.alloc(limits.machineReport.value + 1, ' '));
  symlinkSync(at(other), at(id('3')));
  expect(spawnSync('mkfifo', [at(id('4'))]).status).toBe(0);
  writeFileSync(at('notes.txt'), '');
  writeFileSync(at(id('5')), readFileSync(at(other), 'utf8').replace('applied', 'already'));
  const { machines, updates } = await world.json<Status>('channel', 'status', directory);
  expect(machines).toMatchObject({ reporting: count - 2, strangers: { count: 1 }, refused: { count: 6 } });
  expect(machines.refused.first.map(({ path }) => path).sort()).toEqual(
    [...['1', '2', '3', '4', '5'].map(id), 'notes.txt'].map((name) => `reports/${name}`).sort(),
  );
  expect(updates).toMatchObject([{ name: 'one', offered: count - 2, done: count - 6, failed: 4 }]);
});
