import type { Command } from 'commander';
import type { ProcessesData } from '../app/processes.js';
import { contextOf } from './context.js';
import { table } from './output.js';
import { escaped } from './remote/escaped.js';

const help = `
A process needs a restart if it still runs programs or libraries that were replaced or removed since it started.
Processes whose files cannot be read are marked with a question mark.

Example:
  lamina processes web`;

export function addProcesses(program: Command): void {
  program
    .command('processes <container>')
    .description("list the processes in a container's root, and which of them need a restart")
    .addHelpText('after', help)
    .action(async (name: string, _options: object, command: Command) => {
      const { output, read } = contextOf(command);
      const data = await read({ path: `/containers/${escaped(name)}/processes` }, async (store) =>
        (await import('../app/processes.js')).processes(store, name),
      );
      output.result(data, () => processesText(data));
    });
}

function processesText({ container, processes }: ProcessesData): string {
  const rows = processes.map(({ process, restart, known, command, replaced }) => [
    String(process),
    restart ? 'yes' : known ? 'no' : '?',
    command,
    replaced.length === 0 ? '-' : replaced.join(', '),
  ]);
  return table(['PROCESS', 'RESTART', 'COMMAND', 'REPLACED'], rows, `no process runs in container ${container}`);
}
