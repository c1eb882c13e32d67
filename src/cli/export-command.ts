import { Option } from 'commander';
import type { Command } from 'commander';
import type { CopyProgress, ExportData } from '../app/export.js';
import type { StoreExportData } from '../app/export-store.js';
import { usage } from '../base/errors.js';
import { absolutePath, environmentText } from '../platform/command-line.js';
import { collect } from './arguments.js';
import { copyBar } from './copy-bar.js';
import { contextOf } from './context.js';
import { counted, shown } from './output.js';

const exportHelp = `
Destinations, as in containers-transports(5):
  FILE.tar, FILE.tar.gz, FILE.tar.zst   the root alone, as one archive
  oci:DIR[:TAG]                         an image layout; in an existing one the image replaces another of its tag
  oci-archive:FILE[:TAG]                the same as one file
  docker-archive:FILE[:NAME[:TAG]]      as docker save makes it
  docker://REF                          a registry, by skopeo: with your logins, certificates and mirrors
  containers-storage:REF                what podman run, buildah and CRI-O use, by skopeo
  store-archive:FILE                    for lamina import: with its layers, storages and updates, to roll back there
TAG is latest if none is given. An existing file is not replaced.

Layers that came from an image go out as they came, and are not sent where the destination has them. Each update, and
what is the container's own, is a layer on top. Names of files that begin with .wh. cannot be in an image; sockets are
left out.

Settings: entrypoint=WORDS, cmd=WORDS, env=NAME=VALUE, user=USER, workdir=DIR, label=NAME=VALUE, stopsignal=SIGNAL,
port=80/tcp, volume=/PATH. WORDS are split as a shell does, or a list in JSON. With nothing behind the = a setting is
removed; NAME-, PORT- and PATH- remove one variable, label, port or volume. The others stay as in the image that the
base came from.

The same state gives the same digest. SOURCE_DATE_EPOCH sets the times in the image's history.

Examples:
  lamina export web oci:/srv/images:web
  lamina export web docker://registry.example.org/web:2 --config entrypoint=/usr/local/bin/start
  lamina export debian debian.tar.zst
  lamina export web store-archive:web.lamina --also db`;

interface ExportWords {
  readonly layers?: true;
  readonly flatten?: true;
  readonly config?: string[];
  readonly also?: string[];
}

export function addExportCommand(program: Command): void {
  program
    .command('export <name> <dest>')
    .description('write a container or a base as an image or an archive')
    .addOption(
      new Option('--layers', 'a layer for each layer and storage (the default for images)').conflicts('flatten'),
    )
    .option('--flatten', 'one layer of all')
    .option('--config <setting>', 'set how the image is run (repeat it for more; see below)', collect)
    .option('--also <name>', 'another container or base for the same store-archive: (repeat it for more)', collect)
    .addHelpText('after', exportHelp)
    .action(async (name: string, destination: string, options: ExportWords, command: Command) => {
      if (destination.startsWith(storeTransport)) {
        await exportStoreTo(name, destination, options, command);
        return;
      }
      if (options.also !== undefined)
        throw usage('--also does nothing here: an image or a plain archive is of one container or base', {
          code: 'IDLE_OPTION',
          hint: 'leave --also out, or export to store-archive:FILE',
        });
      const { output, store, signal } = contextOf(command);
      const { exportTo } = await import('../app/export.js');
      const bar = await copyBar(stepWords);
      try {
        const data = await exportTo(await store(), {
          name,
          destination,
          absolute: absolutePath,
          form: options.flatten === true ? 'flatten' : options.layers === true ? 'layers' : undefined,
          config: options.config ?? [],
          sourceDateEpoch: environmentText('SOURCE_DATE_EPOCH'),
          signal,
          onProgress: bar.update,
        });
        bar.stop();
        for (const note of notes(data)) output.note(note);
        output.result(data, () => exportText(data));
      } finally {
        bar.stop();
      }
    });
}

const storeTransport = 'store-archive:';

async function exportStoreTo(name: string, destination: string, options: ExportWords, command: Command): Promise<void> {
  const idle = (['layers', 'flatten', 'config'] as const).find((option) => options[option] !== undefined);
  if (idle !== undefined)
    throw usage(`--${idle} does nothing here: an archive of a store is not an image`, {
      code: 'IDLE_OPTION',
      hint: `leave --${idle} out`,
    });
  const path = destination.slice(storeTransport.length);
  if (path === '') throw usage(`'${destination}' has no path`, { hint: 'give store-archive:FILE' });
  const { output, store, signal } = contextOf(command);
  const { exportStore } = await import('../app/export-store.js');
  const bar = await copyBar(stepWords);
  try {
    const data = await exportStore(await store(), {
      names: [name, ...(options.also ?? [])],
      destination,
      file: absolutePath(path),
      signal,
      onProgress: bar.update,
    });
    bar.stop();
    if (data.displaced > 0)
      output.note(`left out ${counted(data.displaced, 'displaced tree')}: see lamina displaced list`);
    output.result(data, () => storeText(data));
  } finally {
    bar.stop();
  }
}

function storeText({ destination, bases, containers, updates }: StoreExportData): string {
  const names = [...bases.map((base) => `base ${base}`), ...containers.map((container) => `container ${container}`)];
  return `exported ${names.join(', ')} with ${counted(updates.length, 'update')} to ${shown(destination)}`;
}

const stepWords: Readonly<Record<CopyProgress['step'], string>> = { write: 'writing', send: 'sending' };

function notes({ sockets, changed }: ExportData): string[] {
  return [
    ...(sockets === 0 ? [] : [`left out ${counted(sockets, 'socket')}: no archive can hold one`]),
    ...changed.map(
      (diffId) => `layer ${shown(diffId)} of the image below is another layer now: its tar cannot be made again`,
    ),
  ];
}

function exportText({ exported, destination, digest, layers }: ExportData): string {
  const what = layers === null ? 'as an archive' : `as an image of ${counted(layers, 'layer')}`;
  return `exported ${exported} to ${shown(destination)} ${what}${digest === null ? '' : `\n${digest}`}`;
}
