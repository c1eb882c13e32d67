import type { Command } from 'commander';
import type { StoreImportData } from '../app/import-store.js';
import { usage } from '../base/errors.js';
import { collect } from './arguments.js';
import { copyBar } from './copy-bar.js';
import { contextOf, pathOf } from './context.js';
import { counted, shown } from './output.js';

const help = `
FILE was made by lamina export NAME store-archive:FILE, on this machine or another. All of it is checked, then it is
added to the store as one change: bases and containers with their layers, storages and updates, which can be rolled back
here as there. Layers that the store has already are shared. A name that is taken is refused; --as gives another one.
For images and roots there is lamina base import.

Examples:
  lamina import web.lamina
  lamina import web.lamina --as web=web2`;

export function addImportCommand(program: Command): void {
  program
    .command('import <file>')
    .description('add containers and bases of another store, with their history')
    .option('--as <old=new>', 'call a container, base or update by another name (repeat it for more)', collect)
    .addHelpText('after', help)
    .action(async (file: string, options: { as?: string[] }, command: Command) => {
      const { output, store, signal } = contextOf(command);
      const { importStore } = await import('../app/import-store.js');
      const renames = renamesOf(options.as ?? []);
      const bar = await copyBar({ read: 'importing' });
      try {
        const data = await importStore(await store(), {
          file: pathOf(file),
          renames,
          signal,
          onProgress: bar.update,
        });
        bar.stop();
        output.result(data, () => importText(data));
      } finally {
        bar.stop();
      }
    });
}

function renamesOf(words: readonly string[]): Map<string, string> {
  const renames = new Map<string, string>();
  for (const word of words) {
    const [, old, name] = /^([^=]+)=([^=]+)$/.exec(word) ?? [];
    if (old === undefined || name === undefined)
      throw usage(`--as ${shown(word)} does not give an old and a new name`, {
        hint: 'give both, such as --as web=web2',
      });
    if (renames.has(old)) throw usage(`--as gives '${shown(old)}' two names`, { hint: 'leave one of them out' });
    renames.set(old, name);
  }
  return renames;
}

function importText({ bases, containers, updates, shared }: StoreImportData): string {
  const names = [...bases.map(({ name }) => `base ${name}`), ...containers.map(({ name }) => `container ${name}`)];
  const had = shared === 0 ? '' : `; the store already had ${counted(shared, 'layer')}`;
  return `imported ${names.join(', ')} with ${counted(updates.length, 'update')}${had}`;
}
