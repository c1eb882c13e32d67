import type { Command } from 'commander';
import { contextOf, pathOf } from '../context.js';
import { withBytes } from '../copy-bar.js';
import { shown } from '../output.js';

const help = `
FILE is by default NAME.tar in the working directory, NAME being the package's. The same content gives the same bytes on
every machine: owners and times are left out, and modes only keep whether a file is executable. lamina update apply
accepts the file as well as the directory.

Example:
  lamina package build ./more-workers`;

export function addPackageCommands(program: Command): void {
  const group = program.command('package').description('update packages');
  group
    .command('build <dir> [file]')
    .description('pack an update package into one file, to publish or to copy it')
    .addHelpText('after', help)
    .action(async (directory: string, file: string | undefined, _options: object, command: Command) => {
      const { output, signal } = contextOf(command);
      const { packageBuild } = await import('../../app/channel/publish.js');
      const [source, to] = [pathOf(directory), file === undefined ? undefined : pathOf(file)];
      const data = await withBytes('packing', async (onBytes) => packageBuild(source, to, { signal, onBytes }));
      output.result(data, () => `built package ${data.name} as ${shown(data.file)}, sha256 ${data.sha256}`);
    });
}
