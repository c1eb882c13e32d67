import type { Command } from 'commander';
import type { CommitData } from '../app/manual.js';
import type { HostView } from '../app/host-view.js';
import { contextOf, pathOf } from './context.js';
import { partlyDone, setExitCode } from './exit-code.js';
import { hostViewHelp, warnOfHostView } from './host-view-text.js';
import { leftBehind, shown } from './output.js';
import { withSteps } from './steps.js';
import { updateText } from './update-text.js';

interface CommitOptions {
  readonly replay: boolean;
  readonly allowFailures?: boolean;
}

export function addManual(update: Command): void {
  addBegin(update);
  addCommit(update);
  addAbort(update);
}

function addBegin(update: Command): void {
  update
    .command('begin <base> <dir>')
    .description('mount a base on an empty directory to change it by hand')
    .requiredOption('--name <name>', "the update's name")
    .option('--suid', hostViewHelp.suid)
    .option('--dev', hostViewHelp.dev)
    .addHelpText(
      'after',
      '\nThen work in DIR, and commit or abort. Unmounting DIR aborts. Modes and device nodes that you make are kept, even if they have no effect on this host.\n\nExample:\n  lamina update begin debian /mnt/work --name hand-made',
    )
    .action(async (base: string, directory: string, options: { name: string } & HostView, command: Command) => {
      const { output, store } = contextOf(command);
      const { updateBegin } = await import('../app/manual.js');
      const data = await updateBegin(await store(), base, pathOf(directory), options);
      warnOfHostView(output, directory, options);
      output.result(
        data,
        () => `base ${base} is mounted on ${shown(data.mountpoint)}; then: lamina update commit ${data.name}`,
      );
    });
}

function addCommit(update: Command): void {
  update
    .command('commit <update>')
    .description('publish the changes made by hand as the newest layer, and replay them in the containers on the base')
    .option('--no-replay', "replay nothing: leave the containers' own content as it is, over the new layer")
    .option('--allow-failures', 'exit with 0 even if containers were left behind')
    .addHelpText(
      'after',
      "\nRenames, removals, links, modes, owners and attributes are applied to each container's own files. Written content is merged if both versions are text;\notherwise the container's own file stays, and the new one is put beside it as NAME.lamina-new.\nExits with 6 if containers were left behind because of their own content.\n\nExample:\n  lamina update commit by-hand",
    )
    .action(async (name: string, options: CommitOptions, command: Command) => {
      const { output, store, signal } = contextOf(command);
      const { updateCommit } = await import('../app/manual.js');
      const data = await withSteps('containers', async ({ onProgress, write }) => {
        const onFailed = (container: string, error: Error) => {
          write(`${leftBehind(container, error)}\n`);
        };
        return updateCommit(await store(), name, { replay: options.replay, signal, onFailed, onProgress });
      });
      if (options.allowFailures !== true && data.update.effects.some(({ outcome }) => outcome === 'failed'))
        setExitCode(partlyDone);
      output.result(data, () => [`committed update ${name}`, updateText(data.update), ...remarks(data)].join('\n'));
    });
}

function addAbort(update: Command): void {
  update
    .command('abort <update>')
    .description('discard the changes made by hand')
    .addHelpText('after', '\nExample:\n  lamina update abort by-hand')
    .action(async (name: string, _options: object, command: Command) => {
      const { output, store } = contextOf(command);
      const { updateAbort } = await import('../app/manual.js');
      await updateAbort(await store(), name);
      output.result({ aborted: name }, () => `aborted update ${name}`);
    });
}

function remarks({ containers }: CommitData): string[] {
  const line = (container: string, paths: readonly string[], what: string) =>
    paths.length === 0 ? [] : [`container ${container}: ${paths.map(shown).join(', ')}: ${what}`];
  return containers.flatMap(({ container, conflicts, passed, hiding }) => [
    ...line(container, conflicts, "the container's own file stays; the new one is beside it as NAME.lamina-new"),
    ...line(container, passed, 'left as it was: the container has nothing there to change, or content that stays'),
    ...line(container, hiding, "the container's own content hides that of the new layer"),
  ]);
}
