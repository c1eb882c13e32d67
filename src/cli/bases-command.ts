import type { Command } from 'commander';
import { bytesOf, maxSizeHelp } from './arguments.js';
import { contextOf, pathOf } from './context.js';
import { counted, table } from './output.js';
import { terminalStream } from './stream.js';

const initHelp = `
A store of a user who is not root has one user, root, whose files are that user's. With --subordinate-ids its containers have the
users that /etc/subuid and /etc/subgid give, as apt, su and services want it. Files of the store then belong to these, and commands
work, and mount, in a user namespace of the store: lamina unshare shows what is mounted there.

Examples:
  lamina --store /srv/lamina init
  lamina init --subordinate-ids`;

export function addBaseCommands(program: Command): void {
  addInit(program);
  const base = program.command('base').description('the read-only roots that containers share');
  addImport(base);
  addListAndRemove(base);
}

function addInit(program: Command): void {
  program
    .command('init')
    .description('make an empty store')
    .option(
      '--subordinate-ids',
      'without root: let its roots have all their users, through your subordinate ids (see below)',
    )
    .addHelpText('after', initHelp)
    .action(async (options: { subordinateIds?: true }, command: Command) => {
      const { output, root } = contextOf(command);
      const { init } = await import('../app/bases.js');
      const { display } = await import('../base/bytes.js');
      const at = await root();
      await init(at, options);
      output.result({ store: at }, () => `made an empty store at ${display(at)}`);
    });
}

interface ImportWords {
  readonly contentVersion?: string;
  readonly empty?: true;
  readonly maxSize?: string;
}

function addImport(base: Command): void {
  base
    .command('import <name> <source>')
    .description('make a base from a directory or a tar (plain, gzip, xz, zstd)')
    .option('--content-version <version>', 'the version of its content, for update packages that require one')
    .option('--empty', 'allow an empty source')
    .option('--max-size <size>', maxSizeHelp)
    .addHelpText(
      'after',
      '\nExamples:\n  lamina base import debian rootfs.tar.zst\n  lamina base import debian /srv/roots/debian',
    )
    .action(async (name: string, source: string, options: ImportWords, command: Command) => {
      const { output, store, signal } = contextOf(command);
      const { baseImport } = await import('../app/bases.js');
      const bar = await importBar();
      try {
        const data = await baseImport(await store(), name, pathOf(source), {
          version: options.contentVersion,
          allowEmpty: options.empty,
          maxBytes: bytesOf('max-size', options.maxSize),
          signal,
          onProgress: bar?.update,
        });
        bar?.stop();
        output.result(data, () => `imported base ${name} as ${data.head}`);
      } finally {
        bar?.stop();
      }
    });
}

function addListAndRemove(base: Command): void {
  base
    .command('list')
    .description('list the bases')
    .addHelpText('after', '\nExample:\n  lamina base list')
    .action(async (_options: object, command: Command) => {
      const { output, store } = contextOf(command);
      const { baseList } = await import('../app/bases.js');
      const bases = await baseList(await store());
      const rows = bases.map(({ name, head, layers, created }) => [
        name,
        head,
        counted(layers.length, 'layer'),
        created,
      ]);
      output.result({ bases }, () => table(['BASE', 'HEAD', 'LAYERS', 'CREATED'], rows, 'there are no bases'));
    });
  base
    .command('remove <name>')
    .description('remove a base that no container uses')
    .addHelpText('after', '\nExample:\n  lamina base remove debian')
    .action(async (name: string, _options: object, command: Command) => {
      const { output, store } = contextOf(command);
      const { baseRemove } = await import('../app/bases.js');
      await baseRemove(await store(), name);
      output.result({ removed: name }, () => `removed base ${name}`);
    });
}

interface Bar {
  readonly update: (progress: { bytes: number; total: number | undefined; entries: number }) => void;
  readonly stop: () => void;
}

/** Only on a terminal. */
async function importBar(): Promise<Bar | undefined> {
  if (!process.stderr.isTTY) return undefined;
  const { default: cliProgress } = await import('cli-progress');
  const bar = new cliProgress.SingleBar({
    format: 'importing {bar} {percentage}%  {entries} entries',
    stream: terminalStream(),
    clearOnComplete: true,
    hideCursor: true,
  });
  let started = false;
  return {
    update({ bytes, total, entries }) {
      if (total === undefined) return;
      if (!started) bar.start(total, bytes, { entries });
      started = true;
      bar.update(bytes, { entries });
    },
    stop() {
      if (started) bar.stop();
      started = false;
    },
  };
}
