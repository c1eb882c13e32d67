import type { Command } from 'commander';
import { addApply } from './apply.js';
import { addCatchUp } from './catch-up.js';
import { contextOf } from './context.js';
import { addGcCommand } from './gc.js';
import { addManual } from './manual.js';
import { addMergeCommand } from './merge.js';
import { counted, table } from './output.js';
import { addRollbackCommand } from './rollback.js';
import { updateText } from './update-text.js';

export function addUpdateCommands(program: Command): void {
  const update = program.command('update').description('change a base, and every container on it, in one transaction');
  addApply(update);
  addManual(update);
  addCatchUp(update);
  update
    .command('list')
    .description('list the updates')
    .addHelpText('after', '\nExample:\n  lamina update list')
    .action(async (_options: object, command: Command) => {
      const { output, store } = contextOf(command);
      const { updateList } = await import('../app/inspect.js');
      const updates = await updateList(await store());
      const rows = updates.map((each) => [
        each.name,
        each.base,
        each.state,
        counted(each.entries, 'entry', 'entries'),
        counted(each.effects.length, 'container'),
        each.created,
      ]);
      output.result({ updates }, () =>
        table(['UPDATE', 'BASE', 'STATE', 'LAYER', 'CONTAINERS', 'CREATED'], rows, 'there are no updates'),
      );
    });
  update
    .command('show <update>')
    .description('show what an update did, in the base and in each container')
    .addHelpText('after', '\nExample:\n  lamina update show openssl-fix')
    .action(async (name: string, _options: object, command: Command) => {
      const { output, store } = contextOf(command);
      const { updateShow } = await import('../app/update-show.js');
      const data = await updateShow(await store(), name);
      output.result(data, () => updateText(data));
    });
  addRollbackCommand(program);
  addMergeCommand(program);
  addGcCommand(program);
}
