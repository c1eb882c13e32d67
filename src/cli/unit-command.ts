import { Option } from 'commander';
import type { Command } from 'commander';
import type { UnitRuntime } from '../app/unit.js';
import { contextOf } from './context.js';
import { environmentOf, workdirOf } from './run-command.js';
import { startOptions } from './start-options.js';
import { refuseIdle } from './usage.js';

interface UnitWords {
  readonly runtime: UnitRuntime;
  readonly quadlet?: boolean;
  readonly user?: string;
  readonly env?: string[];
  readonly workdir?: string;
  readonly network?: boolean;
  readonly suid?: boolean;
}

const runtimes: readonly UnitRuntime[] = ['run', 'podman', 'nspawn', 'runc', 'crun'];

export function addUnitCommand(program: Command): void {
  program
    .command('unit <container> [command...]')
    .usage('[options] <container> [-- command...]')
    .description('print a systemd service that mounts, runs and unmounts a container')
    .addOption(new Option('--runtime <runtime>', 'what runs it').choices(runtimes).default('run'))
    .option('--quadlet', 'print a Quadlet file for podman 4.4 or newer instead')
    .addOption(startOptions.user())
    .addOption(startOptions.env())
    .addOption(startOptions.workdir())
    .option('--network', "share the host's network (default: none)")
    .option('--suid', 'let its set-user-ID programs work: su, sudo and services that change their user by them')
    .addHelpText('after', help)
    .action(async (name: string, words: string[], options: UnitWords, command: Command) => {
      refuseIdle(command, [
        {
          option: 'runtime',
          unless: ({ quadlet, runtime }) => quadlet !== true || runtime === 'podman',
          because: 'with --quadlet, which is for podman',
        },
      ]);
      const { output, store } = contextOf(command);
      const { unit } = await import('../app/unit.js');
      const data = await unit(await store(), name, {
        runtime: options.quadlet === true ? 'podman' : options.runtime,
        quadlet: options.quadlet === true,
        command: words,
        user: options.user,
        environment: environmentOf(options.env ?? []),
        workingDirectory: workdirOf(options.workdir),
        network: options.network === true,
        suid: options.suid === true,
      });
      if (data.missing !== null)
        output.note(
          `${data.missing} is not installed here: until it is, the unit fails before it mounts the container`,
        );
      output.result(data, () => data.text.trimEnd());
    });
}

const help = `
Save it as /etc/systemd/system/lamina-CONTAINER.service (a Quadlet file as
/etc/containers/systemd/lamina-CONTAINER.container): by this name update apply --restart finds it. The command is that
of the image that the container's base was made from, unless one is given. With run, runc and crun the image is read at
every start, with podman and nspawn when the unit is printed. Without a command, nspawn boots the init system of the
container's root.

Examples:
  lamina unit web --network -- nginx -g 'daemon off;' >/etc/systemd/system/lamina-web.service
  lamina unit web --quadlet -- /usr/bin/app`;
