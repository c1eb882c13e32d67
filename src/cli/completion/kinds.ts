import type { Argument, Command, Option } from 'commander';
import { fullName } from '../usage.js';

/** What a word of the command line names. */
export type Kind = 'containers' | 'bases' | 'updates' | 'any' | 'files' | 'containers-or-files' | 'none';

/** What may be compared, or verified. */
export const allNames = ['containers', 'bases'] as const;

/** Of an argument by the word that help shows for it. */
const byArgument: Readonly<Record<string, Kind>> = {
  container: 'containers',
  'container|dir': 'containers-or-files',
  base: 'bases',
  update: 'updates',
  a: 'any',
  b: 'any',
  node: 'any',
  dir: 'files',
  channel: 'files',
  source: 'files',
  procedure: 'files',
};

/** Exceptions: an update that is committed by hand, or applied again, is not in the manifest. */
const exceptions: Readonly<Record<string, Kind>> = {
  'lamina base remove name': 'bases',
  'lamina base show name': 'bases',
  'lamina update commit update': 'none',
  'lamina update abort update': 'none',
  'lamina update redo update': 'none',
  'lamina bundle command': 'none',
  'lamina unit command': 'none',
  'lamina unshare command': 'files',
  'lamina export name': 'any',
  'lamina export dest': 'files',
  'lamina import file': 'files',
};

/** Of an option's value, by the option. */
const byOption: Readonly<Record<string, Kind>> = {
  '--store': 'files',
  '--container': 'containers',
  '--base': 'bases',
  '--from': 'files',
  '--to': 'files',
  '--token-file': 'files',
  '--also': 'any',
  '--root': 'files',
  '--machines': 'files',
};

export function argumentKind(command: Command, argument: Argument): Kind {
  return exceptions[`${fullName(command)} ${argument.name()}`] ?? byArgument[argument.name()] ?? 'none';
}

export function optionKind({ long }: Option): Kind {
  return byOption[long ?? ''] ?? 'none';
}
