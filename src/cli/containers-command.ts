import { Option } from 'commander';
import type { Command } from 'commander';
import type { MountOptions } from '../app/containers.js';
import type { DisplacedData } from '../app/displaced.js';
import { someOf } from '../base/some-of.js';
import type { OnStep } from '../base/steps.js';
import { bytesText } from '../base/units.js';
import { contextOf, pathOf } from './context.js';
import { engineHelp, engineOption, noteEngine } from './engine-option.js';
import { hostViewHelp, warnOfHostView } from './host-view-text.js';
import { shown } from './output.js';
import { isMachineRoot, isRoot } from '../platform/privileges.js';
import { escaped } from './remote/escaped.js';
import { addCreateCommand } from './create-command.js';
import { addRunCommand } from './run-command.js';
import { addUnshareCommand } from './unshare-command.js';
import { usage } from '../base/errors.js';
import { mountTable, unmountAll } from './mount-all.js';
import { withSteps } from './steps.js';
import { refuseIdle } from './usage.js';
import type { IdleRule } from './usage.js';

export function addContainerCommands(program: Command): void {
  addCreateCommand(program);
  program
    .command('remove <container>')
    .description('remove a container with what it wrote, and what rollbacks displaced in it')
    .addHelpText('after', '\nExample:\n  lamina remove web')
    .action(async (name: string, _options: object, command: Command) => {
      const { output, act } = contextOf(command);
      const data = await withSteps('nodes', async ({ onStep, onProgress }) =>
        act({ method: 'DELETE', path: `/containers/${escaped(name)}`, onProgress }, async () =>
          removeHere(command, name, onStep),
        ),
      );
      output.result(data, () => `removed container ${name}`);
    });
  addMountCommand(program);
  addUmountCommand(program);
  addRunCommand(program);
  addUnshareCommand(program);
}

async function removeHere(command: Command, name: string, onStep: OnStep) {
  const { output, store, signal } = contextOf(command);
  const { remove } = await import('../app/containers.js');
  const onDisplaced = (displaced: readonly DisplacedData[]) => {
    for (const { id, update, bytes, paths } of displaced) {
      const what = someOf(paths.map(shown));
      output.note(`dropping what the rollback of ${shown(update)} displaced: ${what} (${bytesText(bytes)}, ${id})`);
    }
  };
  const dropped = await remove(await store(), name, { onDisplaced, onStep, signal });
  return { removed: name, dropped: dropped.map(({ id }) => id) };
}

interface MountWords extends MountOptions {
  readonly all?: boolean;
  readonly fstab?: string;
}

const ofOne = ['readOnly', 'engine', 'suid', 'dev', 'mode'] as const;

const idleOfMount: readonly IdleRule[] = [
  { option: 'fstab', unless: ({ all }) => all === true, because: 'without --all' },
  ...ofOne.map((option) => ({
    option,
    unless: ({ all }: Readonly<Record<string, unknown>>) => all !== true,
    because: 'with --all',
    instead: 'give it in the line of fstab',
  })),
  {
    option: 'mode',
    unless: ({ engine }) => engine !== 'kernel',
    because: 'with --engine kernel, which opens files in its own way',
  },
];

function addMountCommand(program: Command): void {
  program
    .command('mount [container] [dir]')
    .usage('[options] <container> <dir>')
    .description("mount a container's root on an empty directory")
    .option('--all', 'mount the containers of this store that /etc/fstab names')
    .option('--fstab <file>', 'with --all: read this file instead')
    .option('--read-only', 'mount it read-only')
    .addOption(
      new Option(
        '--mode <mode>',
        'how the driver opens files; passthrough: for large files and databases, root only (default: lamina settings)',
      ).choices(['stateless', 'passthrough']),
    )
    .addOption(engineOption(`${engineHelp} (default: lamina settings)`))
    .option('--suid', hostViewHelp.suid)
    .option('--dev', hostViewHelp.dev)
    .addHelpText(
      'after',
      "\nChoose a directory below one of mode 0700: then no other user of this host can reach the container's files.\n\n--all takes the lines of type lamina, but for those with noauto; see mount.lamina(8). One that cannot be mounted does not keep the others from\nit; the command then exits with 6, unless its line says nofail.\n\nExamples:\n  lamina mount web /root/web\n  lamina mount --all",
    )
    .action(async (...given: [string | undefined, string | undefined, MountWords, Command]) => {
      const [name, directory, options, command] = given;
      refuseIdle(command, idleOfMount);
      if (options.all === true) {
        await mountTable(command, options.fstab);
        return;
      }
      if (name === undefined || directory === undefined)
        throw usage('name a container and a directory', { hint: 'or give --all; see lamina mount --help' });
      const { output, store } = contextOf(command);
      const { mount } = await import('../app/containers.js');
      const data = await mount(await store(), name, pathOf(directory), options);
      warnOfHostView(output, directory, options);
      if (data.engine !== null) noteEngine(output, { engine: data.engine, because: data.engineBecause ?? undefined });
      if (isRoot() && !isMachineRoot())
        output.note("only processes in the store's user namespace see this mount: enter it with lamina unshare");
      output.result(data, () => `mounted container ${name} on ${shown(data.mountpoint ?? directory)}`);
    });
}

function addUmountCommand(program: Command): void {
  program
    .command('umount [container|dir]')
    .usage('[options] <container|dir>')
    .description('unmount a container, given by its name or by its directory')
    .option('--all', 'unmount all containers of this store that are mounted here, except those that a run has mounted')
    .addHelpText(
      'after',
      '\nWith --all a container that is in use stays mounted and the others are unmounted; the command then exits with 6.\n\nExamples:\n  lamina umount web\n  lamina umount /mnt/web\n  lamina umount --all',
    )
    .action(async (what: string | undefined, { all }: { readonly all?: boolean }, command: Command) => {
      if (all === true) {
        await unmountAll(command);
        return;
      }
      if (what === undefined)
        throw usage("missing required argument 'container' or 'dir'", {
          hint: 'or give --all; see lamina umount --help',
        });
      const { output, store } = contextOf(command);
      const { umount } = await import('../app/containers.js');
      const data = await umount(await store(), what, pathOf(what));
      output.result(data, () => `unmounted container ${data.name}`);
    });
}
