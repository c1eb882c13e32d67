import type { Command } from 'commander';
import { addApply, addRedo } from './apply-command.js';
import { addCatchUp } from './catch-up-command.js';
import { contextOf } from './context.js';
import { addGcCommand } from './gc-command.js';
import { addManual } from './manual-command.js';
import { addMergeCommand } from './merge-command.js';
import { counted, table } from './output.js';
import { escaped } from './remote/escaped.js';
import { addRollbackCommand } from './rollback-command.js';
import type { UpdateListData } from '../app/inspect.js';
import { endedText, shortReason, updateText } from './update-text.js';

export function addUpdateCommands(program: Command): void {
  const update = program.command('update').description('change a base, and every container on it, in one transaction');
  addApply(update);
  addRedo(update);
  addManual(update);
  addCatchUp(update);
  addList(update);
  addShow(update);
  addRollbackCommand(program);
  addMergeCommand(program);
  addGcCommand(program);
}

function addList(update: Command): void {
  update
    .command('list')
    .description('list the updates')
    .option('--all', 'include those that failed, were rolled back or were discarded, with the reason')
    .addHelpText('after', '\nExamples:\n  lamina update list\n  lamina update list --all')
    .action(async (options: { all?: boolean }, command: Command) => {
      const { output, read } = contextOf(command);
      const all = options.all === true;
      const data = await read<UpdateListData>({ path: `/updates?all=${all}`, list: 'updates' }, async (store) =>
        (await import('../app/inspect.js')).updateList(store, all),
      );
      output.result(data, () => listText(data));
    });
}

function listText({ updates, ended }: UpdateListData): string {
  const head = ['UPDATE', 'BASE', 'STATE', 'LAYER', 'CONTAINERS', 'CREATED'];
  const past = new Map((ended ?? []).map((each) => [each.id, each]));
  const rows = updates.map((each) => [
    each.name,
    each.base,
    each.state,
    counted(each.entries, 'entry', 'entries'),
    counted(each.effects.length, 'container'),
    each.created,
    ...(ended === undefined ? [] : [shortReason(past.get(each.id)?.reason ?? '-')]),
  ]);
  if (ended === undefined) return table(head, rows, 'there are no updates');
  const standing = new Set(updates.map(({ id }) => id));
  const gone = ended.filter(({ id }) => !standing.has(id));
  const others = gone.map(({ name, base, state, effects, created, reason }) => [
    ...[name, base, state, '-', counted(effects.length, 'container'), created],
    shortReason(reason),
  ]);
  return table([...head, 'REASON'], [...rows, ...others], 'there are no updates, and none on record');
}

function addShow(update: Command): void {
  update
    .command('show <update>')
    .description('show what an update did, in the base and in each container, or why it ended')
    .addHelpText(
      'after',
      '\nGive the update by its id, or by its name for the newest of that name. Updates that ended are shown too: see lamina update list --all.\n\nExample:\n  lamina update show openssl-fix',
    )
    .action(async (name: string, _options: object, command: Command) => {
      const { output, read } = contextOf(command);
      const data = await read({ path: `/updates/${escaped(name)}` }, async (store) =>
        (await import('../app/update-show.js')).updateShow(store, name),
      );
      output.result(data, () => ('layer' in data ? updateText(data) : endedText(data)));
    });
}
