import type { Command } from 'commander';
import { readFile } from 'node:fs/promises';
import { printable, toBuffer } from '../../base/bytes.js';
import { isSystemError, usage } from '../../base/errors.js';
import type { FleetData } from '../../app/channel/fleet.js';
import { countOf } from '../arguments.js';
import { contextOf, pathOf } from '../context.js';
import { counted, shown, table } from '../output.js';
import { withSteps } from '../steps.js';
import { fleetRequest, machinesOption, withFleetOptions } from './fleet-options.js';
import type { FleetWords } from './fleet-options.js';

/** The machines that follow a channel: commands of the group `channel`. */
export function addFleetCommands(channel: Command): void {
  addStatus(channel);
  addEnroll(channel);
  addReceive(channel);
}

function addStatus(channel: Command): void {
  withFleetOptions(
    channel
      .command('status <channel>')
      .description('show the rollout of each update of a channel: how many machines have it, failed, and wait')
      .option('--root <file>', 'the root metadata of the channel, if you give its address and not its directory'),
  )
    .addOption(machinesOption())
    .option('--updates <number>', 'how many of the newest updates to show', '20')
    .addHelpText(
      'after',
      '\nThe channel is the directory that channel init made, or the address that machines follow. Only reports of enrolled machines count.\n\nExamples:\n  lamina channel status ./channel\n  lamina channel status ./channel --reports oci://registry.example.org/updates',
    )
    .action(async (where: string, words: FleetWords & { root?: string; updates: string }, command: Command) => {
      const { output, signal } = contextOf(command);
      const { channelStatus } = await import('../../app/channel/fleet.js');
      const root = words.root === undefined ? undefined : await readFile(toBuffer(pathOf(words.root)));
      const newest = countOf('updates', words.updates) ?? 20;
      const data = await withSteps('reports', async ({ onStep }) =>
        channelStatus({ ...fleetRequest(where, words, signal), root, onStep }, newest),
      );
      output.result(data, () => statusText(data));
    });
}

function statusText({ base, version, expires, machines, updates }: FleetData): string {
  const head = ['UPDATE', 'OFFERED TO', 'MACHINES', 'DONE', 'FAILED', 'WAITING', 'ROLLED BACK'];
  const rows = updates.map((each) => [
    each.name,
    each.withdrawn ? 'withdrawn' : offeredText(each.group, each.percent),
    ...[each.offered, each.done, each.failed, each.waiting, each.rolledBack].map(String),
  ]);
  const { enrolled, reporting, silent, strangers, refused } = machines;
  return [
    `${base === null ? 'channel for no base yet' : `channel for base ${base}`}, version ${version}, valid until ${expires}`,
    `${counted(enrolled, 'machine')} enrolled, ${reporting} of them have reported`,
    ...(silent.length === 0
      ? []
      : [`no report of: ${silent.join(', ')}${enrolled - reporting > silent.length ? ', …' : ''}`]),
    ...(strangers.count === 0
      ? []
      : [`not enrolled: ${strangers.first.map(strangerText).join(', ')}; ${strangers.count} in all`]),
    ...(refused.count === 0 ? [] : [`refused: ${counted(refused.count, 'report')}`, ...refused.first.map(refusedText)]),
    '',
    table(head, rows, 'the channel has no updates'),
    ...updates.flatMap(({ name, failures }) =>
      failures.map(({ host, machine, message }) => `${name} on ${shown(host)} (${machine}): ${printable(message)}`),
    ),
  ].join('\n');
}

const offeredText = (group: string | null, percent: number) =>
  group === null || percent >= 100 ? `${percent}%` : percent === 0 ? group : `${group}, ${percent}%`;

const strangerText = ({ host, key }: { host: string; key: string }) => `${shown(host)} ${key}`;
const refusedText = ({ path, reason }: { path: string; reason: string }) => `  ${shown(path)}: ${printable(reason)}`;

function addEnroll(channel: Command): void {
  channel
    .command('enroll <channel> <keys...>')
    .description('accept the reports of machines: by their public keys, or files with one key on each line')
    .addHelpText(
      'after',
      '\nlamina follow shows the key of a machine.\n\nExamples:\n  lamina channel enroll ./channel ed25519:XDpP5gb9BfH4akrcEjHZoaX5P+yVmKZewYSxPVN07oE=\n  lamina channel enroll ./channel keys.txt',
    )
    .action(async (where: string, keys: string[], _options: object, command: Command) => {
      const { output } = contextOf(command);
      const { channelEnroll } = await import('../../app/channel/fleet.js');
      const data = await channelEnroll(where, async () => (await Promise.all(keys.map(keysOf))).flat());
      const already = data.already.length === 0 ? '' : `, ${data.already.length} already enrolled`;
      output.result(data, () => `${counted(data.added.length, 'machine')} enrolled${already}`);
    });
  channel
    .command('expel <channel> <machines...>')
    .description('no longer accept the reports of machines: by their ids')
    .addHelpText('after', '\nExample:\n  lamina channel expel ./channel m-387d6c7a1273969a67e2cef8b0270ba3')
    .action(async (where: string, machines: string[], _options: object, command: Command) => {
      const { output } = contextOf(command);
      const { channelExpel } = await import('../../app/channel/fleet.js');
      const data = await channelExpel(where, machines);
      output.result(data, () => `${counted(data.expelled.length, 'machine')} expelled`);
    });
}

/** A key, or those in a file: one on each line; what comes after a space is for people. */
async function keysOf(word: string): Promise<string[]> {
  if (word.startsWith('ed25519:')) return [word];
  let text: string;
  try {
    text = await readFile(toBuffer(pathOf(word)), 'utf8');
  } catch (error) {
    if (!isSystemError(error, 'ENOENT', 'ENOTDIR')) throw error;
    throw usage(`${shown(word)} is neither the key of a machine nor a file`, {
      code: 'BAD_MACHINE_KEY',
      hint: 'give the line "ed25519:…" that lamina follow prints on that machine',
    });
  }
  const lines = text.split('\n').map((line) => line.trim());
  return lines.flatMap((line) => (line === '' || line.startsWith('#') ? [] : (line.split(/\s/, 1)[0] ?? [])));
}

function addReceive(channel: Command): void {
  channel
    .command('receive <channel>')
    .description('receive the reports of machines by HTTP, and announce changes of the channel by server-sent events')
    .option('--listen <address>', '[HOST:]PORT', '8088')
    .option('--trust-new', 'enroll each machine that reports for the first time')
    .addHelpText(
      'after',
      '\nPOST /reports receives a report; GET /events is the stream of events. Put a web server with TLS in front of it.\n\nExample:\n  lamina channel receive ./channel --listen 8088',
    )
    .action(async (where: string, options: { listen: string; trustNew?: boolean }, command: Command) => {
      const { output, signal } = contextOf(command);
      const { channelReceive } = await import('../../app/channel/fleet.js');
      const data = await channelReceive(where, options.listen, {
        trustNew: options.trustNew === true,
        signal,
        onListen: (address) => {
          output.note(`receiving reports at ${address}/reports`);
        },
      });
      output.result(data, () => `${counted(data.accepted, 'report')} accepted, ${data.refused} refused`);
    });
}
