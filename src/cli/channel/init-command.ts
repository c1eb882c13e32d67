import type { Command } from 'commander';
import { collect } from '../arguments.js';
import { contextOf, pathOf } from '../context.js';
import { shown, table } from '../output.js';
import { byRole, passphraseForNew } from './signing-options.js';

interface InitWords {
  readonly roleKeys?: string[];
  readonly valid?: string[];
  readonly passphraseFile?: string;
  readonly passphrase: boolean;
  readonly encryptAll?: true;
}

const help = `
A web server serves DIR/public, and lamina channel push sends it. DIR/keys holds the keys: root replaces keys, targets
publishes, snapshot and timestamp sign the current state, and rollout signs only percentages and withdrawals. Move the
keys of root and targets to another medium, and name it with --keys when you need them: a timer needs the other three
only.

The passphrase encrypts the keys of root and targets. The other three sign without a person, and are stored as they are
unless --encrypt-all is given. Give DIR/public/metadata/1.root.json to the machines that follow the channel.

By default two of three keys of root must sign, and the one key of each other role; signatures are valid for 730 days
(root), 365 days (targets, snapshot, rollout) and 7 days (timestamp).

Examples:
  lamina channel init /srv/channel
  lamina channel init --role-keys targets=2:2 --valid timestamp=3 /srv/channel`;

export function addChannelInit(channel: Command): void {
  channel
    .command('init <dir>')
    .description('make an empty channel, with new keys')
    .option(
      '--role-keys <role=keys:threshold>',
      'how many keys a role has, and how many must sign; may be repeated',
      collect,
    )
    .option('--valid <role=days>', 'how long the signatures of a role are valid; may be repeated', collect)
    .option('--passphrase-file <file>', 'a file whose first line becomes the passphrase (default: a prompt)')
    .option('--no-passphrase', 'store all keys unencrypted')
    .option('--encrypt-all', 'encrypt the keys that sign without a person, too')
    .addHelpText('after', help)
    .action(async (directory: string, words: InitWords, command: Command) => {
      const { output } = contextOf(command);
      const keys = byRole(words.roleKeys ?? [], (count, threshold) => ({ count, threshold }));
      const validDays = byRole(words.valid ?? [], (days) => days);
      const passphrase = await passphraseForNew('the keys of root and targets', words);
      const { channelInit } = await import('../../app/channel/publish.js');
      const encryptAll = words.encryptAll === true;
      const data = await channelInit(pathOf(directory), { keys, validDays, passphrase, encryptAll });
      const rows = data.keys.map(({ role, file, encrypted }) => [role, encrypted ? 'yes' : 'no', file]);
      output.result(data, () =>
        [
          `made an empty channel in ${shown(data.directory)}`,
          `give followers ${shown(data.root)}`,
          table(['ROLE', 'ENCRYPTED', 'KEY'], rows, ''),
        ].join('\n'),
      );
    });
}
