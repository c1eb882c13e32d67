import type { Command } from 'commander';
import type { CreateData } from '../app/create.js';
import { bytesText } from '../base/units.js';
import { bytesOf, maxSizeHelp } from './arguments.js';
import { contextOf } from './context.js';
import { counted, shown } from './output.js';
import { readBar } from './copy-bar.js';
import { refuseIdle } from './usage.js';
import type { IdleRule } from './usage.js';

interface CreateWords {
  readonly base: string;
  readonly from?: string;
  readonly force?: true;
  readonly maxSize?: string;
}

const createHelp = `
With --from, the container shows a root that exists, and its storage holds only what the base lacks. ROOT is a
directory, a tar (plain, gzip, xz, zstd), podman:NAME or lxc:NAME (lxc:/DIR/NAME in another directory than that of LXC);
a directory whose name begins like these is ./podman:NAME. The root is not changed. It must not run, hold mounts, or
change meanwhile; sockets are left out.

Examples:
  lamina create web --base debian
  lamina create web --base debian --from /srv/clones/web
  lamina create web --base debian --from podman:web`;

const withFrom = (option: string): IdleRule => ({
  option,
  unless: ({ from }) => from !== undefined,
  because: 'without --from',
});

export function addCreateCommand(program: Command): void {
  program
    .command('create <container>')
    .description('make a container on the newest layer of a base: empty, or from a root that exists')
    .requiredOption('--base <name>', 'the base')
    .option('--from <root>', 'take over a root that exists: a directory, a tar, or a container of podman or LXC')
    .option('--force', 'take it over even if it has little in common with the base')
    .option('--max-size <size>', maxSizeHelp)
    .addHelpText('after', createHelp)
    .action(async (name: string, options: CreateWords, command: Command) => {
      refuseIdle(command, [withFrom('force'), withFrom('maxSize')]);
      const { output } = contextOf(command);
      const data = await created(command, name, options);
      output.result(data, () => createdText(data));
    });
}

async function created(command: Command, name: string, options: CreateWords): Promise<CreateData> {
  const { act } = contextOf(command);
  const { base, from, force = false, maxSize } = options;
  return act({ path: '/containers', body: { name, base, from, force, maxSize } }, async () =>
    createdHere(command, name, options),
  );
}

async function createdHere(command: Command, name: string, options: CreateWords): Promise<CreateData> {
  const { store, signal } = contextOf(command);
  const { create, createFrom } = await import('../app/create.js');
  const { base, from, force } = options;
  if (from === undefined) return create(await store(), name, base);
  const maxBytes = bytesOf('max-size', options.maxSize);
  const bar = await readBar('reading');
  try {
    return await createFrom(await store(), { name, base, from }, { force, maxBytes, signal, onProgress: bar.update });
  } finally {
    bar.stop();
  }
}

function createdText({ name, base, takenOver }: CreateData): string {
  const made = `created container ${shown(name)} on base ${shown(base)}`;
  if (takenOver === null) return made;
  const { entries, bytes, shared, sockets } = takenOver;
  const own = `${counted(entries, 'entry', 'entries')} (${bytesText(bytes)}) of its own`;
  const common = `${counted(shared.entries, 'entry', 'entries')} (${bytesText(shared.bytes)}) shared with the base`;
  const left = sockets === 0 ? '' : `; left out ${counted(sockets, 'socket')}`;
  return `${made}\ntook over ${own}, ${common}${left}`;
}
