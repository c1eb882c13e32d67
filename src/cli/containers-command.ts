import { Option } from 'commander';
import type { Command } from 'commander';
import type { MountOptions } from '../app/containers.js';
import { bytesText } from '../base/units.js';
import { contextOf, pathOf } from './context.js';
import { hostViewHelp, warnOfHostView } from './host-view-text.js';
import { shown } from './output.js';
import { isMachineRoot, isRoot } from '../platform/privileges.js';
import { addRunCommand } from './run-command.js';
import { addUnshareCommand } from './unshare-command.js';

export function addContainerCommands(program: Command): void {
  program
    .command('create <container>')
    .description('make a container on the newest layer of a base')
    .requiredOption('--base <name>', 'the base')
    .addHelpText('after', '\nExample:\n  lamina create web --base debian')
    .action(async (name: string, options: { base: string }, command: Command) => {
      const { output, store } = contextOf(command);
      const { create } = await import('../app/create.js');
      const data = await create(await store(), name, options.base);
      output.result(data, () => `created container ${name} on base ${data.base}`);
    });
  program
    .command('remove <container>')
    .description('remove a container with what it wrote, and what rollbacks displaced in it')
    .addHelpText('after', '\nExample:\n  lamina remove web')
    .action(async (name: string, _options: object, command: Command) => {
      const { output, store } = contextOf(command);
      const { remove } = await import('../app/containers.js');
      const dropped = await remove(await store(), name, (displaced) => {
        for (const { id, update, bytes, paths } of displaced) {
          const what = paths.map(shown).join(', ');
          output.note(`dropping what the rollback of ${shown(update)} displaced: ${what} (${bytesText(bytes)}, ${id})`);
        }
      });
      output.result({ removed: name, dropped: dropped.map(({ id }) => id) }, () => `removed container ${name}`);
    });
  addMountCommands(program);
  addRunCommand(program);
  addUnshareCommand(program);
}

function addMountCommands(program: Command): void {
  program
    .command('mount <container> <dir>')
    .description("mount a container's root on an empty directory")
    .option('--read-only', 'mount it read-only')
    .addOption(
      new Option('--mode <mode>', 'how files are opened; passthrough: for large files and databases, root only')
        .choices(['stateless', 'passthrough'])
        .default('stateless'),
    )
    .option('--suid', hostViewHelp.suid)
    .option('--dev', hostViewHelp.dev)
    .addHelpText(
      'after',
      '\nPut the directory below one of mode 0700: then no other user of this host can reach what is in the container.\n\nExample:\n  lamina mount web /root/web',
    )
    .action(async (name: string, directory: string, options: MountOptions, command: Command) => {
      const { output, store } = contextOf(command);
      const { mount } = await import('../app/containers.js');
      const data = await mount(await store(), name, pathOf(directory), options);
      warnOfHostView(output, directory, options);
      if (isRoot() && !isMachineRoot()) output.note('it is seen in this user namespace: lamina unshare');
      output.result(data, () => `mounted container ${name} on ${shown(data.mountpoint ?? directory)}`);
    });
  program
    .command('umount <container|dir>')
    .description('unmount a container, named or by its directory')
    .addHelpText('after', '\nExamples:\n  lamina umount web\n  lamina umount /mnt/web')
    .action(async (what: string, _options: object, command: Command) => {
      const { output, store } = contextOf(command);
      const { umount } = await import('../app/containers.js');
      const data = await umount(await store(), what, pathOf(what));
      output.result(data, () => `unmounted container ${data.name}`);
    });
}
