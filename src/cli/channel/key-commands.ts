import type { Command } from 'commander';
import { contextOf, pathOf } from '../context.js';
import { shown, table } from '../output.js';
import { passphraseForNew, roleOf, signingOf, withSigning } from './signing-options.js';
import type { GivenSigning } from './signing-options.js';

export function addKeyCommands(channel: Command): void {
  addRefresh(channel);
  addRotate(channel);
}

const refreshHelp = `
Machines trust a channel for a few days after its last refresh, so that a server cannot withhold updates for longer. Run
this every day by a timer: it needs the key of timestamp only. --all renews the signatures of all roles, and needs all
keys.

Examples:
  lamina channel refresh /srv/channel
  lamina channel refresh --all --keys /media/stick /srv/channel`;

function addRefresh(channel: Command): void {
  withSigning(channel.command('refresh <dir>'))
    .description('sign the timestamp of a channel again, so that it stays valid')
    .option('--all', 'renew the signatures of all roles')
    .addHelpText('after', refreshHelp)
    .action(async (directory: string, words: GivenSigning & { all?: true }, command: Command) => {
      const { output } = contextOf(command);
      const { channelRefresh } = await import('../../app/channel/publish.js');
      const data = await channelRefresh(signingOf(directory, words), words.all === true);
      output.result(data, () => table(['ROLE', 'EXPIRES'], Object.entries(data.expires), ''));
    });
}

interface RotateWords extends GivenSigning {
  readonly key?: string;
  readonly into?: string;
  readonly newPassphraseFile?: string;
  readonly newPassphrase: boolean;
}

const rotateHelp = `
ROLE is root, targets, snapshot, timestamp or rollout. Each replaced key gets one new key, and the files that the old
ones signed are signed again: machines that have the new state no longer trust the old keys. The old keys are not
needed, except for root, where as many must sign as its threshold requires. The keys of root sign the change (for
rollout: those of targets), with those of snapshot and timestamp. The file of an old key gets the ending .retired.

Examples:
  lamina channel rotate-key /srv/channel timestamp --no-new-passphrase --keys /media/stick
  lamina channel rotate-key /srv/channel root --key 3f0a --into /media/stick --keys /media/stick`;

function addRotate(channel: Command): void {
  withSigning(channel.command('rotate-key <dir> <role>'))
    .description('replace keys of a role, because they were lost or stolen, or are old')
    .option('--key <id>', 'the key to replace, by the beginning of its id (default: all of the role)')
    .option('--into <dir>', "where to store the new key (default: with the channel's)")
    .option('--new-passphrase-file <file>', 'a file with the passphrase of the new key (default: a prompt)')
    .option('--no-new-passphrase', 'store the new key unencrypted')
    .addHelpText('after', rotateHelp)
    .action(async (directory: string, name: string, words: RotateWords, command: Command) => {
      const { output } = contextOf(command);
      const role = roleOf(name);
      const newPassphrase = await passphraseForNew(`the new key of ${role}`, {
        ...(words.newPassphraseFile === undefined ? {} : { passphraseFile: words.newPassphraseFile }),
        passphrase: words.newPassphrase,
      });
      const { channelRotateKey } = await import('../../app/channel/publish.js');
      const into = words.into === undefined ? undefined : pathOf(words.into);
      const data = await channelRotateKey(signingOf(directory, words), { role, key: words.key, newPassphrase, into });
      const rows = data.added.map(({ id, file, encrypted }) => [id.slice(0, 16), encrypted ? 'yes' : 'no', file]);
      output.result(data, () =>
        [
          `replaced ${data.replaced.map((id) => shown(id.slice(0, 16))).join(', ')} of ${role}`,
          table(['KEY', 'ENCRYPTED', 'FILE'], rows, ''),
        ].join('\n'),
      );
    });
}
