import type { Command, CommanderError } from 'commander';
import { usage } from '../base/errors.js';

/** As it is typed, with the commands it belongs to. */
export function fullName(command: Command): string {
  return command.parent === null ? command.name() : `${fullName(command.parent)} ${command.name()}`;
}

/** The commands below one, and those below them. */
export function allCommands(command: Command): Command[] {
  return command.commands.flatMap((each) => [each, ...allCommands(each)]);
}

/**
 * Makes wrong usage throw an error that names the command's help. Requests for help and version are thrown unchanged.
 */
export function onUsageError(command: Command): void {
  command.exitOverride((error) => {
    if (error.exitCode === 0) throw error;
    throw usageError(error, fullName(command));
  });
}

function usageError({ code, message }: CommanderError, name: string): Error {
  const see = `see ${name} --help`;
  if (code === 'commander.help') return usage(`'${name}' needs a command`, { hint: see });
  const [what = '', ...more] = message.replace(/^error: /, '').split('\n');
  const guess = more.map((line) => line.replace(/^\(Did you mean (.*)\?\)$/, 'did you mean $1?'));
  return usage(what, { hint: [...guess, see].join(' ') });
}

/** Options of all commands whose value is the next word. */
const withValue = ['--store', '--progress-fd', '--remote'];

/**
 * Whether --json was given, for errors in the rest of the command line. What follows the container of `run` belongs to
 * its command.
 * @param words without the program
 */
export function wantsJson(words: readonly string[]): boolean {
  let operands = 0;
  let isRun = false;
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? '';
    if (word === '--' || (isRun && operands === 2)) return false;
    if (word === '--json') return true;
    if (withValue.includes(word)) at += 1;
    else if (!word.startsWith('-')) {
      isRun ||= operands === 0 && word === 'run';
      operands += 1;
    }
  }
  return false;
}

type Options = Readonly<Record<string, unknown>>;

/**
 * Refuses an option that has no effect without another one, or with one.
 * @param command as it was parsed: defaults do not count as given
 * @throws LaminaError usage
 */
export function refuseIdle(command: Command, rules: readonly IdleRule[]): void {
  const options = command.opts<Options>();
  for (const { option, unless, because, instead = 'leave it out' } of rules) {
    if (command.getOptionValueSource(option) !== 'cli' || unless(options)) continue;
    const flag = command.options.find((each) => each.attributeName() === option)?.long ?? `--${option}`;
    throw usage(`${flag} does nothing ${because}`, { hint: `${instead}, or see ${fullName(command)} --help` });
  }
}

export interface IdleRule {
  /** The option's attribute ("dryRun"). */
  readonly option: string;
  /** Whether the option has an effect with the other options. */
  readonly unless: (options: Options) => boolean;
  /** "without --dry-run" */
  readonly because: string;
  /** The hint; by default to leave the option out. */
  readonly instead?: string;
}

/** `option` is for a dry run only. */
export const withDryRun = (option: string): IdleRule => ({
  option,
  unless: ({ dryRun }) => dryRun === true,
  because: 'without --dry-run',
});
