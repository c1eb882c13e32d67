import type { Command } from 'commander';
import { readFile } from 'node:fs/promises';
import type { FollowData } from '../app/agent.js';
import { toBuffer, toText } from '../base/bytes.js';
import { isSystemError, notFound, usage } from '../base/errors.js';
import { limits } from '../base/limits.js';
import { bytesOf, collect, countOf, maxSizeHelp, secondsOf } from './arguments.js';
import { contextOf, pathOf } from './context.js';
import { shown } from './output.js';

interface FollowOptions {
  readonly base?: string;
  readonly root?: string;
  readonly group?: string;
  readonly window?: string[];
  readonly restart?: boolean;
  readonly report?: string;
  readonly events?: string;
  readonly interval: string;
  readonly after?: string;
  readonly plainHttp?: boolean;
  readonly maxSize?: string;
}

export function addFollowCommands(program: Command): void {
  program
    .command('follow [url]')
    .description('make a base follow a channel, whose updates lamina agent then applies')
    .option('--base <name>', 'the base')
    .option('--root <file>', 'the root metadata of the channel, as its publisher gave it to you')
    .option('--group <name>', 'the group of this machine, such as canary')
    .option(
      '--window <time>',
      "when updates may be applied, in local time: 'Sat 02:00-04:00'; may be repeated",
      collect,
    )
    .option('--restart', 'stop the units of the containers while they are updated, and start them again')
    .option(
      '--report <url>',
      'where reports are posted; channel: into the channel itself; none (default: channel if it is oci://, else none)',
    )
    .option('--events <url>', 'a stream of server-sent events that announces changes of the channel')
    .option('--interval <seconds>', 'how often to poll the channel', '300')
    .option('--after <sequence>', 'the base has the updates of the channel up to this one')
    .option('--plain-http', 'connect to the registry by HTTP, without TLS')
    .option('--max-size <size>', maxSizeHelp)
    .addHelpText('after', help)
    .action(async (url: string | undefined, options: FollowOptions, command: Command) => {
      const { output, store, signal } = contextOf(command);
      const app = await import('../app/agent.js');
      if (url === undefined) {
        refuseOptions(command);
        const data = await app.followed(await store());
        output.result(data, () => followText(data));
        return;
      }
      const request = await requestOf(url, options);
      const data = await app.follow(await store(), { ...request, signal });
      output.result(data, () => followText(data));
    });
  program
    .command('unfollow <base>')
    .description('stop following a channel; applied updates stay')
    .addHelpText('after', '\nExample:\n  lamina unfollow debian')
    .action(async (base: string, _options: object, command: Command) => {
      const { output, store } = contextOf(command);
      const app = await import('../app/agent.js');
      const data = await app.unfollow(await store(), base);
      output.result(data, () => `base ${base} no longer follows a channel`);
    });
}

const help = `
All other files of the channel are checked with the root metadata: get it from the publisher, and not from the server of
the channel. Give the command again, without --root, to change how a base follows its channel: options that are not
given get their defaults, except --after. Without an address the command lists the followed channels, and the public key
of this machine, with which the publisher enrolls it.

Examples:
  lamina follow https://updates.example.org/debian --base debian --root root.json
  lamina follow oci://registry.example.org/updates --base debian --root root.json --group canary --window 'Sat 02:00-04:00'
  lamina follow`;

function refuseOptions(command: Command): void {
  const given = command.options.find((option) => command.getOptionValueSource(option.attributeName()) === 'cli');
  if (given === undefined) return;
  throw usage(`${given.long ?? given.flags} is a setting of a channel, but no channel is given`, {
    hint: 'give its address: lamina follow URL --base NAME --root FILE',
  });
}

async function requestOf(url: string, options: FollowOptions) {
  const {
    base,
    root,
    group,
    window = [],
    restart = false,
    report,
    events,
    interval,
    after,
    plainHttp = false,
  } = options;
  if (base === undefined)
    throw usage(`no base is given that is to follow ${shown(url)}`, {
      code: 'BASE_NEEDED',
      hint: 'give it with --base NAME',
    });
  return {
    url: addressOf(url),
    base,
    root: root === undefined ? undefined : await rootOf(root),
    group: group ?? null,
    windows: window,
    restart,
    report: report === 'none' ? null : report,
    events: events ?? null,
    intervalSeconds: intervalOf(interval),
    after: countOf('after', after),
    plainHttp,
    maxBytes: bytesOf('max-size', options.maxSize) ?? null,
  };
}

/** @throws LaminaError usage: it is no number, too long, or the server would be asked all the time */
function intervalOf(text: string): number {
  const seconds = secondsOf('interval', text) ?? usualInterval;
  if (seconds >= 1) return seconds;
  throw usage(`--interval ${text}: give 1 second or more`);
}

const usualInterval = 300;

/** The agent may run in another directory. */
const addressOf = (url: string) => (/^[a-z][a-z0-9+.-]*:/i.test(url) ? url : toText(pathOf(url)));

/** @throws LaminaError notFound; usage: it is too long */
async function rootOf(file: string): Promise<Uint8Array> {
  const hint = 'give the root metadata as the publisher of the channel gave it to you';
  try {
    const bytes = await readFile(toBuffer(pathOf(file)));
    if (bytes.length <= limits.channelRoles.value) return bytes;
  } catch (error) {
    if (!isSystemError(error, 'ENOENT', 'ENOTDIR')) throw error;
    throw notFound(`there is no root metadata at ${shown(file)}`, { hint });
  }
  throw usage(`${shown(file)} is too long for root metadata`, { hint });
}

function followText({ machine, key, follows, agentRuns }: FollowData): string {
  const lines = follows.flatMap(({ base, url, group, windows, report }) => [
    `base ${base} follows ${shown(url)}`,
    ...(group === null ? [] : [`  group: ${group}`]),
    ...(windows.length === 0 ? [] : [`  updates: ${windows.join(', ')}`]),
    `  reports: ${report === null ? 'none' : shown(report)}`,
  ]);
  const who = machine === null ? [] : [`machine ${machine}`, `  key: ${key ?? ''}`];
  const runs = agentRuns ? [] : ['no agent is running on this store: start lamina agent'];
  return [
    ...(lines.length === 0 ? ['no base follows a channel'] : lines),
    ...who,
    ...(lines.length === 0 ? [] : runs),
  ].join('\n');
}
