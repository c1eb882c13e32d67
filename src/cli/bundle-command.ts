import type { Command } from 'commander';
import { collect } from './arguments.js';
import { contextOf, pathOf } from './context.js';
import { engineHelp, engineOption, noteEngine } from './engine-option.js';
import type { EngineWish } from './engine-option.js';
import { warnOfHostView } from './host-view-text.js';
import { shown } from './output.js';
import { environmentOf, workdirOf } from './run-command.js';
import { startOptions } from './start-options.js';

interface BundleWords {
  readonly engine?: EngineWish;
  readonly user?: string;
  readonly env?: string[];
  readonly workdir?: string;
  readonly network?: boolean;
  readonly readOnly?: boolean;
  readonly tty?: boolean;
  readonly suid?: boolean;
  readonly capAdd?: string[];
  readonly capDrop?: string[];
}

export function addBundleCommand(program: Command): void {
  program
    .command('bundle <container> <dir> [command...]')
    .usage('[options] <container> <dir> [-- command...]')
    .description('mount a container as a bundle that OCI runtimes such as runc and crun run')
    .addOption(startOptions.user())
    .addOption(startOptions.env())
    .addOption(startOptions.workdir())
    .option('--network', "share the host's network (default: none)")
    .option('--read-only', 'mount its root read-only')
    .option('--tty', 'give its command a terminal')
    .option('--suid', 'let its set-user-ID programs work')
    .option('--cap-add <capability>', 'add a capability of root, or all; may be repeated', collect)
    .option('--cap-drop <capability>', 'drop a capability, or all; may be repeated', collect)
    .addOption(engineOption(`${engineHelp} (default: lamina settings)`))
    .addHelpText('after', help)
    .action(async (name: string, directory: string, words: string[], options: BundleWords, command: Command) => {
      const { output, store } = contextOf(command);
      const { bundle } = await import('../app/bundle.js');
      const { engine, user, readOnly } = options;
      const place = pathOf(directory);
      const data = await bundle(await store(place), name, place, {
        command: words,
        engine,
        user,
        environment: environmentOf(options.env ?? []),
        workingDirectory: workdirOf(options.workdir),
        network: options.network === true,
        readOnly,
        terminal: options.tty === true,
        suid: options.suid === true,
        addedCapabilities: options.capAdd ?? [],
        droppedCapabilities: options.capDrop ?? [],
      });
      warnOfHostView(output, `${directory}/rootfs`, { suid: options.suid });
      if (data.engine !== null) noteEngine(output, { engine: data.engine, because: data.engineBecause ?? undefined });
      output.result(data, () => `mounted container ${name} as bundle ${shown(data.bundle)}`);
    });
}

const help = `
The directory must be empty, or not exist. The container is mounted on DIR/rootfs, and DIR/config.json has the command,
user, variables and working directory of the image that its base was made from, as far as options do not override them.
Edit it as you like. lamina umount ends it, once the runtime has ended; lamina mount CONTAINER DIR/rootfs mounts it
there again.

Root in it is root of the machine, held back by capabilities and namespaces: as with podman, run by root. Set-user-ID
programs do not work without --suid. Limits are those that the runtime is started with.

Examples:
  lamina bundle web /run/web -- nginx -g 'daemon off;'
  lamina bundle web /run/web --user www-data --env MODE=test`;
