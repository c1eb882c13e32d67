import type { Command } from 'commander';
import type { BaseData, BaseOptions, Store } from '../app/bases.js';
import type { ImageOptions } from '../app/import-image.js';
import { display } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { usage } from '../base/errors.js';
import { someOf } from '../base/some-of.js';
import { bytesOf, maxSizeHelp } from './arguments.js';
import { addBaseShow } from './base-show-command.js';
import { contextOf, pathOf } from './context.js';
import { counted, layersText, table } from './output.js';
import { readBar } from './copy-bar.js';
import { withSteps } from './steps.js';

const initHelp = `
Without root, a container of a store has one user, root, and its files belong to you. With --subordinate-ids it also has
the users that /etc/subuid and /etc/subgid give you, which apt, su and services need. Files of the store then belong to
these subordinate ids, and commands run, and mount, in a user namespace of the store: lamina unshare shows what is
mounted there.

Examples:
  lamina --store /srv/lamina init
  lamina init --subordinate-ids`;

export function addBaseCommands(program: Command): void {
  addInit(program);
  const base = program.command('base').description('the read-only roots that containers share');
  addImport(base);
  addListAndRemove(base);
  addBaseShow(base);
}

function addInit(program: Command): void {
  program
    .command('init')
    .description('make an empty store')
    .option(
      '--subordinate-ids',
      'without root: give its containers all their users, by means of your subordinate ids (see below)',
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
  readonly platform?: string;
}

const importHelp = `
An image is named with its transport, as in containers-transports(5): oci:DIR:TAG, oci-archive:FILE:TAG,
docker-archive:FILE:NAME, dir:DIR, docker://REGISTRY/NAME:TAG and containers-storage:NAME:TAG. The last two are fetched
by skopeo, with its settings. Each layer of an image becomes a base layer; images with the same lower layers share
these, and only what is new is fetched and read.

Examples:
  lamina base import debian rootfs.tar.zst
  lamina base import debian /srv/roots/debian
  curl https://example.org/rootfs.tar.xz | lamina base import debian -
  lamina base import web docker://docker.io/library/nginx:1.27
  lamina base import tools oci:./layout:v2 --platform linux/arm64`;

function addImport(base: Command): void {
  base
    .command('import <name> <source>')
    .description('make a base from an image, a directory or a tar (plain, gzip, xz, zstd)')
    .option('--content-version <version>', 'the version of its content, for update packages that require one')
    .option('--empty', 'allow an empty source')
    .option('--max-size <size>', maxSizeHelp)
    .option('--platform <os/arch>', 'of an image for several: which; by default that of this machine')
    .addHelpText('after', importHelp)
    .action(async (name: string, source: string, options: ImportWords, command: Command) => {
      const { output, isRemote, act } = contextOf(command);
      const { namesImage } = await import('../app/import-image.js');
      const isImage = namesImage(source);
      refuseIdle(options, isImage);
      if (isRemote && source === '-')
        throw usage('with --remote, a base cannot be imported from standard input', {
          hint: 'copy the tar to the server, and give its absolute path there',
        });
      const { contentVersion, empty, maxSize, platform } = options;
      // With --remote a path is one of the server.
      const body = { name, source, contentVersion, empty, maxSize, platform };
      const data = await act({ path: '/bases', body }, async () => importHere(command, name, source, options));
      output.result(data, () => importedText(data));
    });
}

async function importHere(command: Command, name: string, source: string, options: ImportWords): Promise<BaseData> {
  const { output, store, signal } = contextOf(command);
  const { namesImage } = await import('../app/import-image.js');
  const bar = await readBar('importing');
  const leftOut: BytePath[] = [];
  const common = {
    onLeftOut: (path: BytePath) => void leftOut.push(path),
    version: options.contentVersion,
    maxBytes: bytesOf('max-size', options.maxSize),
    signal,
    onProgress: bar.update,
  };
  try {
    const data = namesImage(source)
      ? await importImageFrom(await store(), name, source, { ...common, platform: options.platform })
      : await importRoot(await store(), name, source, { ...common, allowEmpty: options.empty });
    bar.stop();
    if (leftOut.length > 0) output.note(leftOutText(leftOut));
    return data;
  } finally {
    bar.stop();
  }
}

type Import<Options> = (store: Store, name: string, source: string, options: Options) => Promise<BaseData>;

const importImageFrom: Import<ImageOptions> = async (store, name, source, options) => {
  const { importImage } = await import('../app/import-image.js');
  return importImage(store, name, source, options);
};

const importRoot: Import<BaseOptions> = async (store, name, source, options) => {
  const { baseImport, standardInput } = await import('../app/bases.js');
  return baseImport(store, name, source === '-' ? standardInput : pathOf(source), options);
};

function refuseIdle({ empty, platform }: ImportWords, isImage: boolean): void {
  const idle = isImage ? (empty === true ? '--empty' : undefined) : platform === undefined ? undefined : '--platform';
  if (idle !== undefined)
    throw usage(`${idle} does nothing here: the source is ${isImage ? 'an image' : 'no image'}`, {
      code: 'IDLE_OPTION',
      hint: `leave ${idle} out`,
    });
}

const mostShown = 8;

/** Devices of the source that a user other than root cannot make. */
function leftOutText(paths: readonly BytePath[]): string {
  const devices = counted(paths.length, 'device');
  const named = someOf(
    paths.map((path) => display(path)),
    mostShown,
  );
  return `left out ${devices}, which only root of the machine can make: ${named}`;
}

function importedText({ name, head, layers, image }: BaseData): string {
  const of = image === null ? '' : `, ${counted(layers.length, 'layer')} for ${image.platform}`;
  return `imported base ${name} as ${head}${of}`;
}

function addListAndRemove(base: Command): void {
  base
    .command('list')
    .description('list the bases')
    .addHelpText('after', '\nExample:\n  lamina base list')
    .action(async (_options: object, command: Command) => {
      const { output, read } = contextOf(command);
      const { bases } = await read({ path: '/bases' }, async (store) => {
        const { baseList } = await import('../app/bases.js');
        return { bases: await baseList(store) };
      });
      const rows = bases.map(({ name, head, created, image }) => [
        name,
        head,
        layersText(bases, name),
        created,
        image?.reference ?? '-',
      ]);
      output.result({ bases }, () => table(['BASE', 'HEAD', 'LAYERS', 'CREATED', 'IMAGE'], rows, 'there are no bases'));
    });
  base
    .command('remove <name>')
    .description('remove a base that no container uses')
    .addHelpText('after', '\nExample:\n  lamina base remove debian')
    .action(async (name: string, _options: object, command: Command) => {
      const { output, store, signal } = contextOf(command);
      const { baseRemove } = await import('../app/bases.js');
      await withSteps('nodes', async ({ onStep }) => baseRemove(await store(), name, { onStep, signal }));
      output.result({ removed: name }, () => `removed base ${name}`);
    });
}
