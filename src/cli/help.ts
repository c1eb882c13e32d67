import type { Command } from 'commander';
import { usage } from '../base/errors.js';
import { fullName } from './usage.js';

/** `help [command...]` of a group. Commander's own accepts one word, and ignores one that it does not know. */
export function addHelp(group: Command): void {
  group.helpCommand(false);
  group
    .command('help [command...]')
    .description('show the help of a command')
    .addHelpText('after', `\nExample:\n  ${example(group)}`)
    .action((words: string[]) => {
      commandNamed(group, words).help();
    });
}

/** Taken before `help` is one of them. */
function example(group: Command): string {
  const [first] = group.commands;
  return `${fullName(group)} help ${first?.name() ?? ''}`;
}

/** @throws LaminaError usage: no such command */
function commandNamed(group: Command, words: readonly string[]): Command {
  let found = group;
  for (const word of words) {
    const next = found.commands.find((each) => each.name() === word);
    if (next === undefined) {
      throw usage(`unknown command '${word}'`, {
        hint: `${fullName(found)} ${found.commands.length === 0 ? 'has no subcommands' : `has: ${names(found)}`}`,
      });
    }
    found = next;
  }
  return found;
}

const names = (command: Command) => command.commands.map((each) => each.name()).join(', ');
