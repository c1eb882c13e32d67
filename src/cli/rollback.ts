import type { Command } from 'commander';
import { usage } from '../base/errors.js';
import type { RollbackData } from '../app/rollback.js';
import { collect } from './arguments.js';
import { contextOf, pathOf } from './context.js';
import type { Context } from './context.js';
import { shown } from './output.js';

interface RollbackOptions {
  readonly container?: string[];
  readonly discard?: boolean;
  readonly withNewer?: boolean;
  readonly restore?: string;
  readonly to?: string;
}

export function addRollbackCommand(program: Command): void {
  program
    .command('rollback <update>')
    .description('undo an update; what was written since is kept or put aside')
    .option('--container <name>', 'only in this container; may be repeated', collect)
    .option('--discard', 'drop what was written since')
    .option('--with-newer', 'roll back the newer updates above it first')
    .option('--restore <path>', 'copy what a rollback of the update put aside to --to; nothing is rolled back')
    .option('--to <dest>', 'where --restore copies to')
    .addHelpText(
      'after',
      '\nExamples:\n  lamina rollback openssl-fix\n  lamina rollback openssl-fix --container web --with-newer\n  lamina rollback openssl-fix --restore /etc/app.conf --container web --to ./app.conf',
    )
    .action(async (name: string, options: RollbackOptions, command: Command) => {
      const context = contextOf(command);
      if (options.restore !== undefined) await restore(context, name, options.restore, options);
      else if (options.to !== undefined) throw usage('--to goes with --restore');
      else await rollback(context, name, options);
    });
}

async function rollback({ output, store }: Context, name: string, options: RollbackOptions): Promise<void> {
  const { rollback: undo } = await import('../app/rollback.js');
  const { container: containers, discard, withNewer } = options;
  const data = await undo(await store(), name, { containers, discard, withNewer });
  output.result(data, () => rollbackText(data));
}

async function restore(
  { output, store }: Context,
  update: string,
  path: string,
  { container = [], to, discard, withNewer }: RollbackOptions,
): Promise<void> {
  if (to === undefined) throw usage('--restore needs a place to copy to', { hint: 'name it with --to DEST' });
  if (discard === true || withNewer === true || container.length > 1)
    throw usage('--restore goes with one --container, and with --to');
  const { rollbackRestore } = await import('../app/rollback.js');
  const data = await rollbackRestore(await store(), { update, path, container: container[0], to: pathOf(to) });
  output.result(data, () => `copied /${shown(data.path)} of container ${data.container} to ${shown(data.to)}`);
}

function rollbackText({ updates, containers, staying }: RollbackData): string {
  const paths = (list: readonly string[]) => list.map((path) => `/${shown(path)}`).join(', ');
  const lines = containers.flatMap(({ update, container, kept, merged, aside, asidePath }) => [
    ...(kept ? [`container ${container}: what was written since is kept`] : []),
    ...(merged.length === 0 ? [] : [`container ${container}: merged with the state before: ${paths(merged)}`]),
    ...(asidePath === null
      ? []
      : [
          `container ${container}: put aside under ${shown(asidePath)}: ${paths(aside)}`,
          `  to have it back: lamina rollback ${update} --restore PATH --container ${container} --to DEST`,
        ]),
  ]);
  const stay = staying.map((container) => `container ${container} was created on the update and stays on its layer`);
  return [...updates.map((update) => `rolled back update ${update}`), ...lines, ...stay].join('\n');
}
