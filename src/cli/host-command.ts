import type { Command } from 'commander';
import type { HostData } from '../app/host.js';
import { contextOf } from './context.js';
import { table } from './output.js';

export function addHostCommand(program: Command): void {
  program
    .command('host')
    .description('show what this machine supports, and how to get what is missing')
    .addHelpText('after', '\nIt tries a mount and a sandbox, and leaves nothing behind.\n\nExample:\n  lamina host')
    .action(async (_options: object, command: Command) => {
      const { output } = contextOf(command);
      const { host } = await import('../app/host.js');
      const data = await host();
      output.result(data, () => hostText(data));
    });
}

function hostText({ kernel, root, features }: HostData): string {
  const rows = features.map(({ name, available, detail }) => [name, available ? 'yes' : 'no', detail]);
  const hints = features.flatMap(({ name, hint }) => (hint === null ? [] : [`  ${name}: ${hint}`]));
  const wanted = hints.length === 0 ? [] : ['', 'How to get what is missing:', ...hints];
  const who = root ? 'as root' : 'without root: a container has one user, and not every limit can be set for it';
  return [`Linux ${kernel}, ${who}`, '', table(['FEATURE', 'HERE', ''], rows, ''), ...wanted].join('\n');
}
