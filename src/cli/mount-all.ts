import type { Command } from 'commander';
import type { MountAllData } from '../app/mount-table.js';
import type { UnmountAllData } from '../app/umount-all.js';
import { usage } from '../base/errors.js';
import { contextOf, pathOf } from './context.js';
import { partlyDone, setExitCode } from './exit-code.js';
import { shown } from './output.js';

/** `mount --all`. */
export async function mountTable(command: Command, fstab = '/etc/fstab'): Promise<void> {
  if (command.args.length > 0)
    throw usage('--all cannot be combined with a container', { hint: 'leave one of them out' });
  const { output, store } = contextOf(command);
  const { mountAll } = await import('../app/mount-table.js');
  const data = await mountAll(await store(), pathOf(fstab));
  if (data.failed.some(({ mayFail }) => !mayFail)) setExitCode(partlyDone);
  for (const { line, message, hint } of data.failed)
    output.note(`${shown(fstab)}, line ${line}: ${shown(message)}${hint === null ? '' : `\n  ${shown(hint)}`}`);
  output.result(data, () => textOf(data));
}

function textOf({ mounted, already, failed }: MountAllData): string {
  const lines = [
    ...mounted.map(({ name, mountpoint }) => `mounted container ${name} on ${shown(mountpoint ?? '')}`),
    ...already.map((name) => `container ${shown(name)} is mounted already`),
  ];
  return lines.length === 0 && failed.length === 0 ? 'no line names a container of this store' : lines.join('\n');
}

/** `umount --all`. */
export async function unmountAll(command: Command): Promise<void> {
  if (command.args.length > 0)
    throw usage('--all cannot be combined with a container', { hint: 'leave one of them out' });
  const { output, store } = contextOf(command);
  const { umountAll } = await import('../app/umount-all.js');
  const data = await umountAll(await store());
  if (data.failed.length > 0) setExitCode(partlyDone);
  for (const { message, hint } of data.failed)
    output.note(`${shown(message)}${hint === null ? '' : `\n  ${shown(hint)}`}`);
  output.result(data, () => unmountedText(data));
}

function unmountedText({ unmounted, failed }: UnmountAllData): string {
  const lines = unmounted.map(({ name }) => `unmounted container ${name}`);
  return lines.length === 0 && failed.length === 0 ? 'no container of this store is mounted here' : lines.join('\n');
}
