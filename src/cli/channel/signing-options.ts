import type { Command } from 'commander';
import type { Role, Signing } from '../../app/channel/publish.js';
import { usage } from '../../base/errors.js';
import { collect } from '../arguments.js';
import { pathOf } from '../context.js';
import { askPassphrase, newPassphrase, passphraseIn } from './passphrase.js';

export interface GivenSigning {
  readonly keys?: readonly string[];
  readonly passphraseFile?: string;
}

/** The options of all commands that sign. */
export function withSigning(command: Command): Command {
  return command
    .option('--keys <dir>', "a directory with further keys, beside the channel's own; may be repeated", collect)
    .option(
      '--passphrase-file <file>',
      'a file whose first line is the passphrase of encrypted keys (default: a prompt)',
    );
}

const mostAttempts = 3;

export function signingOf(directory: string, { keys = [], passphraseFile }: GivenSigning): Signing {
  let typed: string | undefined;
  return {
    directory: pathOf(directory),
    keyDirectories: keys.map(pathOf),
    passphrase: async (key, attempt) => {
      if (passphraseFile !== undefined) return attempt === 0 ? passphraseIn(passphraseFile) : undefined;
      if (attempt > mostAttempts) return undefined;
      // Most have one passphrase for all keys of a channel: another one is asked for where it does not fit.
      if (typed === undefined || attempt > 0) typed = await askPassphrase(`Passphrase of ${key}`);
      return typed;
    },
  };
}

/** The passphrase for new keys; undefined: they are not encrypted. */
export async function passphraseForNew(
  what: string,
  { passphraseFile, passphrase }: { readonly passphraseFile?: string; readonly passphrase: boolean },
): Promise<string | undefined> {
  if (!passphrase && passphraseFile !== undefined)
    throw usage('--no-passphrase and --passphrase-file exclude each other', { hint: 'give one of them' });
  if (!passphrase) return undefined;
  return passphraseFile === undefined ? newPassphrase(what) : passphraseIn(passphraseFile);
}

const roleNames: readonly Role[] = ['root', 'targets', 'snapshot', 'timestamp', 'rollout'];

/** @throws LaminaError usage */
export function roleOf(text: string): Role {
  const role = roleNames.find((name) => name === text);
  if (role !== undefined) return role;
  throw usage(`'${text}' is not a role`, { hint: `give one of ${roleNames.join(', ')}` });
}

/** `ROLE=NUMBER[:NUMBER]`, by role. @throws LaminaError usage */
export function byRole<T>(
  words: readonly string[],
  read: (number: number, second: number) => T,
): Partial<Record<Role, T>> {
  const pairs = words.map((word) => {
    const [, role = '', first = '', second = first] = /^([a-z]+)=(\d+(?:\.\d+)?)(?::(\d+))?$/.exec(word) ?? [];
    if (first === '') throw usage(`'${word}' is not ROLE=NUMBER`, { hint: 'for example root=3:2, or timestamp=14' });
    return [roleOf(role), read(Number(first), Number(second))] as const;
  });
  return Object.fromEntries(pairs);
}

/** @throws LaminaError usage */
export function percentOf(text: string): number {
  if (/^\d{1,3}(\.\d+)?$/.test(text)) return Number(text);
  throw usage(`'${text}' is not a percentage`, { hint: 'give a number from 0 to 100' });
}
