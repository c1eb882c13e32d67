import type { Command } from 'commander';
import { usage } from '../../base/errors.js';
import { fullName } from '../usage.js';

/** Commands that --remote can run on another machine. */
export const remoteCommands: readonly string[] = [
  'base import',
  'base list',
  'base show',
  'create',
  'remove',
  'update apply',
  'update catch-up',
  'update redo',
  'update list',
  'update show',
  'rollback',
  'displaced list',
  'displaced restore',
  'displaced drop',
  'merge',
  'gc',
  'list',
  'status',
  'graph',
  'diff',
  'processes',
  'log',
  'explain',
  'verify',
];

/** Options that mean something on this machine only, or that the server has no route for. */
const localOptions: Readonly<Record<string, readonly string[]>> = {
  'update apply': ['raw'],
  'update redo': ['raw'],
  'update catch-up': ['raw', 'all'],
  'displaced restore': ['to'],
  rollback: ['restore'],
};

/** @throws LaminaError usage: with --remote, the command or one of its options does nothing */
export function checkRemote(command: Command): void {
  const { remote, store } = command.optsWithGlobals<{ remote?: string; store?: string }>();
  if (remote === undefined) return;
  const name = fullName(command).replace(/^lamina /, '');
  if (store !== undefined)
    throw usage('--store and --remote exclude each other: the server has its store', { hint: 'leave one of them out' });
  if (!remoteCommands.includes(name))
    throw usage(`lamina ${name} does not work with --remote`, {
      code: 'NOT_REMOTE',
      hint: `run it on the machine of the server; these work: ${remoteCommands.join(', ')}`,
    });
  const given = (localOptions[name] ?? []).find((option) => command.getOptionValueSource(option) === 'cli');
  if (given !== undefined)
    throw usage(`--${given} does not work with --remote`, {
      code: 'NOT_REMOTE',
      hint: 'leave it out, or run the command on the machine of the server',
    });
}
