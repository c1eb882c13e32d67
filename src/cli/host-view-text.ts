import { isReachedByAll } from '../app/host-view.js';
import type { HostView } from '../app/host-view.js';
import { pathOf } from './context.js';
import { shown } from './output.js';
import type { Output } from './output.js';

/** The same words wherever something is mounted for people. */
export const hostViewHelp = {
  suid: "let the container's set-user-ID programs work on this host: whoever runs one may become root",
  dev: "let the container's device nodes work on this host: they may give access to any disk",
} as const;

/** Repeats what was allowed, because it is easily forgotten when the mount is used. */
export function warnOfHostView(output: Output, directory: string, { suid, dev }: HostView): void {
  const what = [...(suid === true ? ['set-user-ID programs'] : []), ...(dev === true ? ['device nodes'] : [])];
  if (what.length === 0) return;
  const who = isReachedByAll(pathOf(directory))
    ? 'every user of this host; a mount point below a directory of mode 0700 keeps them out'
    : 'who may enter the directories above it';
  output.note(`warning: ${what.join(' and ')} below ${shown(directory)} work for ${who}`);
}
