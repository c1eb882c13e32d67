import type { Command } from 'commander';
import { contextOf, pathOf } from './context.js';
import { shown } from './output.js';
import { updateText } from './update-text.js';

export function addManual(update: Command): void {
  update
    .command('begin <base> <dir>')
    .description('mount a base on an empty directory to change it by hand')
    .requiredOption('--name <name>', "the update's name")
    .addHelpText(
      'after',
      '\nThen work in DIR, and commit or abort. Unmounting DIR aborts.\n\nExample:\n  lamina update begin debian /mnt/work --name hand-made',
    )
    .action(async (base: string, directory: string, options: { name: string }, command: Command) => {
      const { output, store } = contextOf(command);
      const { updateBegin } = await import('../app/manual.js');
      const data = await updateBegin(await store(), base, pathOf(directory), options.name);
      output.result(
        data,
        () => `base ${base} is mounted on ${data.mountpoint}; then: lamina update commit ${data.name}`,
      );
    });
  update
    .command('commit <update>')
    .description('make what was done by hand the newest layer')
    .addHelpText('after', '\nExample:\n  lamina update commit by-hand')
    .action(async (name: string, _options: object, command: Command) => {
      const { output, store, signal } = contextOf(command);
      const { updateCommit } = await import('../app/manual.js');
      const data = await updateCommit(await store(), name, signal);
      const hiding = data.hiding.map(
        ({ container, paths }) =>
          `container ${container} has its own ${paths.map(shown).join(', ')}: these keep hiding the new layer's`,
      );
      output.result(data, () => [`committed update ${name}`, updateText(data.update), ...hiding].join('\n'));
    });
  update
    .command('abort <update>')
    .description('discard what was done by hand')
    .addHelpText('after', '\nExample:\n  lamina update abort by-hand')
    .action(async (name: string, _options: object, command: Command) => {
      const { output, store } = contextOf(command);
      const { updateAbort } = await import('../app/manual.js');
      await updateAbort(await store(), name);
      output.result({ aborted: name }, () => `aborted update ${name}`);
    });
}
