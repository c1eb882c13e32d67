import { cpSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ChannelClient } from '../../src/channel/index.js';
import { World, checkout, run } from '../support/lamina.js';

const document = readFileSync(join(checkout, 'docs/update-service.md'), 'utf8');

/** The first block of commands of a section. */
function commandsOf(section: string): string {
  const [, text = ''] = document.split(`\n### ${section}\n`);
  const found = /^```sh\n(.*?)^```$/ms.exec(text)?.[1];
  if (found === undefined) throw new Error(`docs/update-service.md has no commands in ${section}`);
  return found;
}

let world: World;
let channel: string;
let stick: string;
const passphrase = 'correct horse battery staple';

/** Runs commands of the document on a terminal, where the passphrase is typed each time that it is asked for. */
async function follow(commands: string, questions: readonly string[]): Promise<string> {
  const lamina = `lamina() { '${process.execPath}' '${world.cli}' "$@"; }`;
  const text = commands.replaceAll('/srv/channel', channel).replaceAll('/media/stick', stick);
  const typed = questions.flatMap((question) => [question, passphrase]);
  const terminal = join(checkout, 'test/support/on-terminal.py');
  return (await run('python3', [terminal, `set -e; ${lamina}\n${text}\necho all is done`, ...typed])).stdout;
}

const keys = (directory: string, role: string) =>
  readdirSync(directory).filter((name) => name.startsWith(`${role}-`) && name.endsWith('.key'));

async function machine(): Promise<ChannelClient> {
  const root = readFileSync(join(channel, 'public/metadata/1.root.json'));
  return ChannelClient.open({ directory: world.path('machine'), url: join(channel, 'public'), root });
}

/** Publishes by the keys on the stick; gives what the machine then sees. */
async function publish(name: string): Promise<string[]> {
  const directory = world.makeDirectory('packages', name);
  writeFileSync(join(directory, 'update.json'), JSON.stringify({ version: 1, name, procedure: 'run' }));
  writeFileSync(join(directory, 'run'), '#!/bin/sh\ntrue\n', { mode: 0o755 });
  const file = world.path(`${name}.tar`);
  await world.run('package', 'build', directory, file);
  const signing = ['--keys', stick, '--passphrase-file', world.path('passphrase')];
  await world.run('channel', 'publish', channel, file, '--base', 'tiny', ...signing);
  return (await (await machine()).refresh()).state.updates.map((update) => update.name);
}

/** A channel with one update, its keys as the document has them: made once, since what encrypts them takes its time. */
const start = new World('channel-keys');

beforeAll(async () => {
  [world, channel, stick] = [start, start.path('channel'), start.makeDirectory('stick')];
  writeFileSync(world.path('passphrase'), `${passphrase}\n`, { mode: 0o600 });
  await follow('lamina channel init /srv/channel', ['New passphrase', 'The same again']);
  for (const role of ['root', 'targets'])
    for (const name of keys(join(channel, 'keys'), role)) renameSync(join(channel, 'keys', name), join(stick, name));
  expect(await publish('before')).toEqual(['before']);
});

beforeEach(() => {
  world = new World('channel-keys');
  [channel, stick] = [world.path('channel'), world.path('stick')];
  for (const name of ['channel', 'stick', 'machine', 'passphrase'])
    cpSync(start.path(name), world.path(name), { recursive: true });
});

afterEach(() => world.remove());
afterAll(() => start.remove());

describe('docs/update-service.md, on lost keys', () => {
  it('replaces those of timestamp, snapshot and rollout', async () => {
    const [lost] = ['timestamp', 'snapshot', 'rollout'].map((role) => keys(join(channel, 'keys'), role));
    for (const role of ['timestamp', 'snapshot', 'rollout'])
      for (const name of keys(join(channel, 'keys'), role)) rmSync(join(channel, 'keys', name));
    // Each of these commands needs the keys of the other two as well: those that are replaced first are there by then.
    const commands = commandsOf('The key of timestamp, snapshot or rollout');
    const ends = await follow(
      commands,
      Array.from({ length: 3 }, () => 'Passphrase of'),
    );
    expect(ends).toContain('all is done');
    expect(keys(join(channel, 'keys'), 'timestamp')).not.toEqual(lost);
    await world.run('channel', 'promote', channel, 'before', '--percent', '5');
    await world.run('channel', 'refresh', channel);
    expect(await publish('after')).toEqual(['before', 'after']);
  });

  it('replaces that of targets', async () => {
    for (const name of keys(stick, 'targets')) rmSync(join(stick, name));
    const ends = await follow(commandsOf('The key of targets'), ['New passphrase', 'The same again', 'Passphrase of']);
    expect(ends).toContain('all is done');
    expect(ends).not.toContain(passphrase);
    expect(keys(stick, 'targets')).toHaveLength(1);
    expect(await publish('after')).toEqual(['before', 'after']);
  });

  it('replaces one of three of root', async () => {
    const [lost = ''] = keys(stick, 'root');
    rmSync(join(stick, lost));
    const commands = commandsOf('One key of root').replace('3f0a', lost.slice('root-'.length, 'root-'.length + 8));
    const ends = await follow(commands, ['New passphrase', 'The same again', 'Passphrase of']);
    expect(ends).toContain('all is done');
    expect(keys(stick, 'root')).toHaveLength(3);
    expect(await publish('after')).toEqual(['before', 'after']);
  });

  it('makes a new channel where too few of root are left', async () => {
    for (const name of keys(stick, 'root').slice(1)) rmSync(join(stick, name));
    const signing = ['--keys', stick, '--passphrase-file', world.path('passphrase'), '--no-new-passphrase'];
    const refused = await world.attempt('channel', 'rotate-key', channel, 'targets', ...signing);
    expect(refused).toMatchObject({ code: 4, stderr: expect.stringContaining('needs 2 of its 3 keys') as string });
    // What is there works on.
    expect(await publish('after')).toEqual(['before', 'after']);
    mkdirSync(world.path('old'));
    cpSync(channel, world.path('old'), { recursive: true });
    rmSync(channel, { recursive: true });
    await world.run('channel', 'init', channel, '--passphrase-file', world.path('passphrase'));
    await expect((await machine()).refresh()).rejects.toMatchObject({ code: 'CHANNEL_UNTRUSTED' });
    rmSync(world.path('machine'), { recursive: true });
    expect((await (await machine()).refresh()).state.updates).toEqual([]);
  });
});
