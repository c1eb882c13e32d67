import type { Command } from 'commander';
import type { StatusData } from '../app/inspect.js';
import type { Store } from '../app/open-store.js';
import { usage } from '../base/errors.js';
import { collect } from './arguments.js';
import { contextOf } from './context.js';
import { Output } from './output.js';
import { escaped } from './remote/escaped.js';
import { containerFields, containersText, oneText, rowsOf, statusText } from './status-text.js';
import { formatted } from './template.js';

interface SelectWords {
  readonly filter?: string[];
  readonly sort?: string;
  readonly format?: string;
}

const filterHelp = 'only containers with name=, base=, state=, engine= or layer=; may be repeated';
const sortHelp = 'by name, base, state, created or mountpoint; in reverse with - before it (default: name)';

const states = `
One filter of each key must match; * and ? in a value stand for any characters. States are newest, behind,
left-behind, mounted, unmounted and driver-gone.`;

export function addStatusCommands(program: Command): void {
  program
    .command('list')
    .description('list containers')
    .option('--filter <key=value>', filterHelp, collect)
    .option('--sort <field>', sortHelp)
    .option('--format <template>', 'json, or a template for each container: see below')
    .addHelpText('after', listHelp)
    .action(async (options: SelectWords, command: Command) => {
      const { output, read } = contextOf(command);
      if (output.json && options.format !== undefined)
        throw usage('--format does nothing with --json', { hint: 'leave one of them out' });
      const { listed, select } = await import('../app/container-list.js');
      const data = await read({ path: '/status' }, statusOf);
      const containers = select(listed(data), { filters: options.filter ?? [], sort: options.sort });
      const { format } = options;
      const chosen = format === 'json' ? new Output(true) : output;
      chosen.result({ containers }, () =>
        format === undefined
          ? containersText(data, containers)
          : formatted(format, containerFields, rowsOf(containers)),
      );
    });
  program
    .command('status [container]')
    .description('show bases, containers and where they are mounted; or one container')
    .option('--filter <key=value>', filterHelp, collect)
    .option('--sort <field>', sortHelp)
    .addHelpText('after', statusHelp)
    .action(async (name: string | undefined, options: SelectWords, command: Command) => {
      const { output, read } = contextOf(command);
      if (name !== undefined && (options.filter !== undefined || options.sort !== undefined))
        throw usage('--filter and --sort do nothing with one container', { hint: 'leave them out' });
      const { listed, oneContainer, select } = await import('../app/container-list.js');
      const data = await read({ path: '/status' }, statusOf);
      if (name !== undefined) {
        const one = await read({ path: `/containers/${escaped(name)}` }, async (store) =>
          oneContainer(store, data, name),
        );
        output.result(one, () => oneText(data, one));
        return;
      }
      const containers = select(listed(data), { filters: options.filter ?? [], sort: options.sort });
      const isWhole = options.filter === undefined && options.sort === undefined;
      const plain = containers.map(({ state: _, elsewhere: __, snapshot: ___, ...container }) => container);
      output.result({ ...data, containers: plain }, () => statusText(data, containers, isWhole));
    });
}

const statusOf = async (store: Store): Promise<StatusData> => (await import('../app/inspect.js')).status(store);

const listHelp = `${states}

A template is a text with {{.FIELD}} or {{json .FIELD}}; {{json .}} is all of a container, \\t a tab, \\n a new line.
One that begins with table gives columns with headings. The fields are those of --json: ${containerFields.join(', ')}.

Examples:
  lamina list --filter base=debian --filter state=behind --sort -created
  lamina list --format 'table {{.name}}\\t{{.mountpoint}}'`;

const statusHelp = `
With more than 20 containers, those on the newest layer without a problem are only counted: lamina list shows all.${states}

Examples:
  lamina status
  lamina status web
  lamina --json status --filter state=mounted`;
