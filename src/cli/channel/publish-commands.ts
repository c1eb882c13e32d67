import type { Command } from 'commander';
import type { ChannelPruneData, ChannelUpdate } from '../../app/channel/publish.js';
import { contextOf, pathOf } from '../context.js';
import { withBytes } from '../copy-bar.js';
import { counted, shown } from '../output.js';
import { withSteps } from '../steps.js';
import { promoteByRule, refuseIdleRollout, rolloutHelp, withRollout } from './rollout-command.js';
import type { RolloutWords } from './rollout-command.js';
import { percentOf, signingOf, withSigning } from './signing-options.js';
import type { GivenSigning } from './signing-options.js';

interface PublishWords extends GivenSigning {
  readonly base: string;
  readonly name?: string;
  readonly group?: string;
  readonly percent?: string;
}

const publishHelp = `
The update becomes the last one of the channel. It is offered at once to the machines of the group, and to the given
percentage of all machines; without either option, to all. lamina channel promote raises the percentage. It needs the
keys of targets, snapshot and timestamp.

Examples:
  lamina channel publish /srv/channel more-workers.tar --base debian --group canary --keys /media/stick
  lamina channel publish /srv/channel more-workers.tar --base debian --percent 10`;

export function addPublishCommands(channel: Command): void {
  withSigning(channel.command('publish <dir> <package>'))
    .description('add an update to a channel')
    .requiredOption('--base <base>', 'the base that the update is for; a channel has updates of one base only')
    .option('--name <name>', "the update's name (default: the package's)")
    .option('--group <group>', 'offer it to machines of this group, whatever the percentage')
    .option('--percent <number>', 'offer it to this share of all machines (default: 100, with --group 0)')
    .addHelpText('after', publishHelp)
    .action(async (directory: string, file: string, words: PublishWords, command: Command) => {
      const { output } = contextOf(command);
      const { channelPublish } = await import('../../app/channel/publish.js');
      const request = {
        package: pathOf(file),
        base: words.base,
        name: words.name,
        group: words.group,
        percent: words.percent === undefined ? undefined : percentOf(words.percent),
      };
      const data = await withBytes('copying', async (onBytes) =>
        channelPublish(signingOf(directory, words), { ...request, onBytes }),
      );
      output.result(data, () => `published update ${data.name} as number ${data.sequence}, ${offeredText(data)}`);
    });
  addPromote(channel);
  addWithdraw(channel);
  addPush(channel);
  addPrune(channel);
}

function offeredText({ group, percent }: ChannelUpdate): string {
  const share = percent === 100 ? 'all machines' : `${percent} % of all machines`;
  if (group === null || percent === 100) return `offered to ${share}`;
  return `offered to the group ${group}${percent === 0 ? '' : ` and ${share}`}`;
}

const promoteHelp = `
It needs the keys of rollout, snapshot and timestamp. A machine that was offered an update stays so when the percentage
is raised; one that has it keeps it when the percentage is lowered.
${rolloutHelp}

Examples:
  lamina channel promote /srv/channel more-workers --percent 50
  lamina channel promote /srv/channel more-workers --when 'canary: 95% ok for 1h, failures < 3'`;

function addPromote(channel: Command): void {
  const promote = withSigning(channel.command('promote <dir> <name>'))
    .description('offer an update to more machines')
    .option('--percent <number>', 'the share of all machines (default: 100)');
  withRollout(promote)
    .addHelpText('after', promoteHelp)
    .action(async (directory: string, name: string, words: RolloutWords, command: Command) => {
      refuseIdleRollout(command);
      const { when } = words;
      if (when !== undefined) {
        await promoteByRule(directory, name, { ...words, when }, command);
        return;
      }
      const { output } = contextOf(command);
      const percent = words.percent === undefined ? undefined : percentOf(words.percent);
      const { channelPromote } = await import('../../app/channel/publish.js');
      const data = await channelPromote(signingOf(directory, words), name, percent);
      output.result(data, () => `promoted update ${data.name}, ${offeredText(data)}`);
    });
}

const withdrawHelp = `
It needs the keys of rollout, snapshot and timestamp. A withdrawn update is never offered again: publish its package
under another name.

Example:
  lamina channel withdraw /srv/channel more-workers --with-newer`;

function addWithdraw(channel: Command): void {
  withSigning(channel.command('withdraw <dir> <name>'))
    .description('make machines roll an update back')
    .option('--with-newer', 'machines roll newer updates back with it')
    .addHelpText('after', withdrawHelp)
    .action(async (directory: string, name: string, words: GivenSigning & { withNewer?: true }, command: Command) => {
      const { output } = contextOf(command);
      const { channelWithdraw } = await import('../../app/channel/publish.js');
      const data = await channelWithdraw(signingOf(directory, words), name, words.withNewer === true);
      output.result(data, () => `withdrew update ${data.name}${data.withNewer ? ', with newer ones' : ''}`);
    });
}

const pushHelp = `
URL is a directory (what a web server serves, a USB stick) or oci://REGISTRY/REPOSITORY. The command signs nothing, and
needs no key. Files that are there already are not sent again; machines see the whole old state or the whole new one.
If another channel, or a newer state, is there, nothing is sent without --replace.

The login of a registry is that of podman login or skopeo login. HTTP is used for a registry on the loopback.

Examples:
  lamina channel push /srv/channel /media/stick/channel
  lamina channel push /srv/channel oci://registry.example.org/fleet/debian`;

function addPush(channel: Command): void {
  channel
    .command('push <dir> <url>')
    .description('copy a channel to a directory or a registry')
    .option('--replace', 'replace another channel, or a newer state of this one')
    .option('--plain-http', 'connect to the registry by HTTP, without TLS')
    .addHelpText('after', pushHelp)
    .action(async (directory: string, url: string, words: PushWords, command: Command) => {
      const { output, signal } = contextOf(command);
      const { channelPush } = await import('../../app/channel/publish.js');
      const { plainHttp = false, replace = false } = words;
      const data = await withBytes('sending', async (onBytes) =>
        channelPush(pathOf(directory), url, { plainHttp, replace, signal, onBytes }),
      );
      const { bytesText } = await import('../../base/units.js');
      const sent = `${counted(data.files, 'file')}, ${bytesText(data.bytes)}`;
      output.result(data, () => `pushed state ${data.version} to ${shown(data.url)}: ${sent}`);
    });
}

interface PushWords {
  readonly plainHttp?: true;
  readonly replace?: true;
}

const pruneHelp = `
Files of states that were replaced are kept for as long as a timestamp is valid (7 days, or as channel init --valid
says) and one day more: no machine accepts an older timestamp, so none needs older files. Root metadata and packages of
updates are never removed. URL is a place to which the channel was pushed, a directory or oci://REGISTRY/REPOSITORY; it
must have the current state. Without URL, the channel's own directory is pruned. It needs no key.

Reports of machines that are not enrolled are removed, too, if they are older than two days: a machine that waits for
its enrolment reports every day. If no machine is enrolled, all reports stay.

Examples:
  lamina channel prune /srv/channel
  lamina channel prune --dry-run /srv/channel oci://registry.example.org/fleet/debian`;

function addPrune(channel: Command): void {
  channel
    .command('prune <dir> [url]')
    .description('remove files of old states, and reports of machines that are not enrolled')
    .option('--only-reports', 'remove reports only: URL need not have the channel')
    .option('--dry-run', 'list the files, and remove none')
    .option('--plain-http', 'connect to the registry by HTTP, without TLS')
    .addHelpText('after', pruneHelp)
    .action(async (directory: string, url: string | undefined, words: PruneWords, command: Command) => {
      const { output, signal } = contextOf(command);
      const { channelPrune } = await import('../../app/channel/publish.js');
      const { plainHttp = false, dryRun = false, onlyReports = false } = words;
      const data = await withSteps('files', async ({ onStep }) =>
        channelPrune(pathOf(directory), url, { plainHttp, dryRun, onlyReports, signal, onStep }),
      );
      output.result(data, () => pruneText(data));
    });
}

interface PruneWords {
  readonly plainHttp?: true;
  readonly dryRun?: true;
  readonly onlyReports?: true;
}

function pruneText({ url, before, removed, reports, dryRun }: ChannelPruneData): string {
  const what = [
    ...(before === null ? [] : [`${counted(removed.length, 'file')} of states before ${before}`]),
    ...(before === null || reports.length > 0
      ? [`${counted(reports.length, 'report')} of machines that are not enrolled`]
      : []),
  ];
  const named = dryRun ? [...removed, ...reports].map(shown) : [];
  return [...named, `${dryRun ? 'would remove' : 'removed'} ${what.join(' and ')} from ${shown(url)}`].join('\n');
}
