import { Option } from 'commander';
import type { Command } from 'commander';
import type { ContainerMode } from '../app/settings.js';
import { contextOf } from './context.js';
import { engineOption } from './engine-option.js';
import type { EngineWish } from './engine-option.js';
import { shown, table } from './output.js';

interface Given {
  readonly engine?: EngineWish;
  readonly mode?: ContainerMode;
}

const help = `
--mode passthrough is for large files that are read and written in place, as by databases: lamina mount and lamina run
then open the container's files so, where the driver mounts it and they are not given another --mode. It holds for the
next mount. An image can ask for it by the label dev.lamina.mode=passthrough, which holds for containers without a
setting.

Examples:
  lamina settings
  lamina settings --engine auto
  lamina settings db --mode passthrough`;

export function addSettingsCommand(program: Command): void {
  program
    .command('settings [container]')
    .description('show or change what holds for commands of the store that do not say otherwise')
    .addOption(engineOption('what mounts containers: see lamina mount (a new store: fuse)'))
    .addOption(
      new Option(
        '--mode <mode>',
        "how the driver opens the container's files: see lamina mount (a new container: stateless)",
      ).choices(['stateless', 'passthrough'] satisfies ContainerMode[]),
    )
    .addHelpText('after', help)
    .action(async (container: string | undefined, { engine, mode }: Given, command: Command) => {
      const { output, store } = contextOf(command);
      const { settings } = await import('../app/settings.js');
      const data = await settings(await store(), container, { engine, mode });
      const rows = [
        ['engine', data.engine],
        ...data.containers.map(({ name, mode: has, by }) => [
          `mode of ${shown(name)}`,
          by === 'image' ? `${has} (by a label of its image)` : has,
        ]),
        ...(container !== undefined && data.containers.length === 0
          ? [[`mode of ${shown(container)}`, 'stateless']]
          : []),
      ];
      output.result(data, () => table(['SETTING', 'VALUE'], rows, ''));
    });
}
