import type { Command, Help } from 'commander';
import { fullName } from '../usage.js';

/** A term and its description: an option, a command. */
export interface Row {
  readonly term: string;
  readonly text: string;
}

/** The help of one command, in parts that each kind of manual formats in its own way. */
export interface CommandPage {
  /** As it is typed ("lamina update apply"). */
  readonly name: string;
  readonly summary: string;
  /** What follows the name ("[options] <base> <procedure>"). */
  readonly usage: string;
  readonly options: readonly Row[];
  /** Those below it, without `help`. */
  readonly commands: readonly Row[];
  /** What help says after the options; the lines of a paragraph are joined. */
  readonly paragraphs: readonly string[];
  readonly examples: readonly string[];
}

/** A summary as a sentence. */
export function sentenceOf(summary: string): string {
  return `${summary.charAt(0).toUpperCase()}${summary.slice(1)}${/[.!?]$/.test(summary) ? '' : '.'}`;
}

/**
 * The program's own page, then one for each command, groups before what is in them. Hidden commands and `help` have
 * none.
 */
export function commandPages(program: Command): CommandPage[] {
  const help = program.createHelp();
  return [program, ...shownBelow(help, program)].map((command) => pageOf(help, command));
}

function shownBelow(help: Help, group: Command): Command[] {
  return shown(help, group).flatMap((command) => [command, ...shownBelow(help, command)]);
}

const shown = (help: Help, group: Command) => help.visibleCommands(group).filter((each) => each.name() !== 'help');

function pageOf(help: Help, command: Command): CommandPage {
  return {
    name: fullName(command),
    summary: command.description(),
    usage: command.usage(),
    options: help
      .visibleOptions(command)
      // All have it; the program's own page says so.
      .filter(({ long }) => command.parent === null || long !== '--help')
      .map((option) => ({ term: help.optionTerm(option), text: help.optionDescription(option) })),
    commands: shown(help, command).map((each) => ({
      term: fullName(each),
      text: each.description(),
    })),
    ...afterOptions(command),
  };
}

/**
 * The text that a command adds to its help. Commander gives no access to it: so the help is printed, and Commander's
 * own part removed.
 */
function afterOptions(command: Command): Pick<CommandPage, 'paragraphs' | 'examples'> {
  let shownHelp = '';
  command.configureOutput({ writeOut: (text) => (shownHelp += text) });
  command.outputHelp();
  const blocks = shownHelp
    .slice(command.helpInformation().length)
    .split('\n\n')
    .map((block) => block.replace(/^\n+|\n+$/g, '').split('\n'));
  const isExamples = (lines: readonly string[]) => /^Examples?:$/.test(lines[0] ?? '');
  return {
    paragraphs: blocks.filter((lines) => !isExamples(lines) && lines[0] !== '').map((lines) => lines.join(' ')),
    examples: blocks.filter(isExamples).flatMap(([, ...lines]) => lines.map((line) => line.replace(/^ {2}/, ''))),
  };
}
