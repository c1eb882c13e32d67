import type { Command } from 'commander';
import { usage } from '../base/errors.js';
import { someOf } from '../base/some-of.js';
import type { Restored, RollbackData } from '../app/rollback.js';
import { collect } from './arguments.js';
import { contextOf, pathOf } from './context.js';
import type { Context } from './context.js';
import { shown } from './output.js';
import { escaped } from './remote/escaped.js';
import { withSteps } from './steps.js';
import { refuseIdle } from './usage.js';
import type { IdleRule } from './usage.js';

interface RollbackOptions {
  readonly container?: string[];
  readonly discard?: boolean;
  readonly withNewer?: boolean;
  readonly dryRun?: boolean;
  readonly restore?: string;
  readonly to?: string;
  readonly force?: boolean;
}

export function addRollbackCommand(program: Command): void {
  program
    .command('rollback <update>')
    .description('undo an update; what was written since is kept, or displaced (see lamina displaced)')
    .option('--container <name>', 'only in this container; may be repeated', collect)
    .option('--discard', 'drop what was written since')
    .option('--with-newer', 'roll back the newer updates above it first')
    .option('--dry-run', 'only show what would happen to what was written since')
    .option(
      '--restore <path>',
      'restore to the container what a rollback of the update displaced; nothing is rolled back',
    )
    .option('--to <dest>', 'with --restore: copy it there instead')
    .option('--force', 'with --restore: replace what is in the way in the container')
    .addHelpText(
      'after',
      '\nExamples:\n  lamina rollback openssl-fix\n  lamina rollback openssl-fix --container web --with-newer\n  lamina rollback openssl-fix --restore /etc/app.conf\n  lamina rollback openssl-fix --restore /etc/app.conf --container web --to ./app.conf',
    )
    .action(async (name: string, options: RollbackOptions, command: Command) => {
      const context = contextOf(command);
      if (options.restore !== undefined) await restore(context, name, options.restore, options);
      else {
        refuseIdle(command, idle);
        await rollback(context, name, options);
      }
    });
}

const withRestore = (option: string): IdleRule => ({
  option,
  unless: ({ restore: path }) => path !== undefined,
  because: 'without --restore: a rollback restores nothing',
  instead: 'say what to restore with --restore PATH (lamina displaced list shows what is displaced), or leave it out',
});
const idle: readonly IdleRule[] = [withRestore('to'), withRestore('force')];

async function rollback(context: Context, name: string, options: RollbackOptions): Promise<void> {
  const { output, store, signal, act } = context;
  const { container: containers, discard, withNewer, dryRun } = options;
  const request = { containers, discard, withNewer, dryRun };
  const path = `/updates/${escaped(name)}/rollback`;
  const data = await withSteps('containers', async ({ onStep, onProgress }) =>
    act({ path, body: request, onProgress }, async () =>
      (await import('../app/rollback.js')).rollback(await store(), name, { ...request, signal, onStep }),
    ),
  );
  output.result(data, () => rollbackText(data));
}

async function restore(
  { output, store, signal }: Context,
  update: string,
  path: string,
  { container = [], to, force, discard, withNewer, dryRun }: RollbackOptions,
): Promise<void> {
  if (discard === true || withNewer === true || dryRun === true || container.length > 1)
    throw usage('--restore takes one --container, and --to or --force', {
      hint: 'leave out the other options: with --restore nothing is rolled back',
    });
  if (to !== undefined && force === true)
    throw usage('--force replaces what is in the way in the container; with --to the destination must not exist', {
      hint: 'leave out --force, and give --to a path that does not exist',
    });
  const { rollbackRestore } = await import('../app/rollback.js');
  const place = to === undefined ? undefined : pathOf(to);
  const request = { update, path, container: container[0], to: place, force, signal };
  const data = await withSteps('entries', async ({ onStep }) => rollbackRestore(await store(), { ...request, onStep }));
  output.result(data, () => restoreText(data));
}

export function restoreText({ container, path, to, replaced }: Restored): string {
  if (to !== null) return `copied ${shown(path)} of container ${container} to ${shown(to)}`;
  const gone = replaced.map((each) => `\n  replaced ${shown(each)}`);
  return `restored ${shown(path)} to container ${container}${gone.join('')}`;
}

const idOf = (path: string) => path.slice(path.lastIndexOf('/') + 1);

function rollbackText({ dryRun, updates, containers, staying }: RollbackData): string {
  const paths = (list: readonly string[]) => someOf(list.map(shown));
  const lines = containers.flatMap(({ container, kept, merged, displaced, displacedPath }) => [
    ...(kept ? [`container ${container}: what was written since is kept`] : []),
    ...(merged.length === 0 ? [] : [`container ${container}: merged with the state before: ${paths(merged)}`]),
    ...(displaced.length === 0 ? [] : [`container ${container}: displaced: ${paths(displaced)}`]),
    ...(displacedPath === null
      ? []
      : [`  to restore it: lamina displaced restore ${idOf(displacedPath)}${displaced.length === 1 ? '' : ' PATH'}`]),
  ]);
  const stay = staying.map((container) => `container ${container} was created on the update and stays on its layer`);
  const did = dryRun ? 'would roll back' : 'rolled back';
  return [...updates.map((update) => `${did} update ${update}`), ...lines, ...stay].join('\n');
}
