import type { Argument, Command, Option } from 'commander';
import { allNames, argumentKind, optionKind } from './kinds.js';
import type { Kind } from './kinds.js';
import type { StoreNames } from '../../app/store-names.js';

/** A candidate for the word at the cursor, and its description. */
export interface Candidate {
  readonly word: string;
  readonly text: string;
}

export interface Completion {
  readonly candidates: readonly Candidate[];
  /** Whether names of files are candidates, too. */
  readonly files: boolean;
}

const nothing: Completion = { candidates: [], files: false };

/**
 * The candidates for the last word of a command line.
 * @param words after the program's name; the last one is the one that is being typed, or empty
 * @param namesOf the names in a store: the one of `--store`, or undefined for the caller's own. Called only where a
 * name is possible
 */
export function complete(
  program: Command,
  words: readonly string[],
  namesOf: (store: string | undefined) => StoreNames,
): Completion {
  const at = read(program, words.slice(0, -1));
  const last = words.at(-1) ?? '';
  // bash makes three words of --option=value.
  const current = at.wanting !== undefined && last === '=' ? '' : last;
  const names = () => namesOf(at.store);
  const found = candidatesAt(at, current, names);
  return { ...found, candidates: found.candidates.filter(({ word }) => word.startsWith(current)) };
}

/** Where the words before the cursor lead. */
interface Place {
  command: Command;
  operands: number;
  /** An option that has not had its value yet. */
  wanting: Option | undefined;
  onlyOperands: boolean;
  /** `help` was typed: what follows are commands. */
  helps: boolean;
  store: string | undefined;
}

function read(program: Command, words: readonly string[]): Place {
  const place: Place = {
    command: program,
    operands: 0,
    wanting: undefined,
    onlyOperands: false,
    helps: false,
    store: undefined,
  };
  for (const word of words) {
    if (place.wanting !== undefined) takeValue(place, place.wanting, word);
    else if (!place.onlyOperands && word.startsWith('-') && word !== '-') takeOption(place, word);
    else takeOperand(place, word);
  }
  return place;
}

function takeValue(place: Place, option: Option, word: string): void {
  if (word === '=') return;
  if (option.long === '--store') place.store = word;
  place.wanting = undefined;
}

function takeOption(place: Place, word: string): void {
  const [flag = '', value] = word.split(/=(.*)/s);
  const option = optionsOf(place.command).find(({ long, short }) => flag === long || flag === short);
  if (word === '--') place.onlyOperands = true;
  else if (option?.required !== true) return;
  else if (value === undefined) place.wanting = option;
  else takeValue(place, option, value);
}

function takeOperand(place: Place, word: string): void {
  const below = place.operands === 0 ? place.command.commands.find((each) => each.name() === word) : undefined;
  if (below === undefined) place.operands += 1;
  else if (word === 'help') place.helps = true;
  else place.command = below;
}

function candidatesAt(place: Place, current: string, names: () => StoreNames): Completion {
  const { command, operands, wanting, helps } = place;
  if (wanting !== undefined) return valuesOf(wanting, names);
  if (helps) return { candidates: operands === 0 ? commandsOf(command) : [], files: false };
  if (isOfAnother(place)) return nothing;
  if (!place.onlyOperands && current.startsWith('-')) return optionOrValue(command, current, names);
  if (command.commands.length > 0) return { candidates: operands === 0 ? commandsOf(command) : [], files: false };
  const argument = argumentAt(command.registeredArguments, operands);
  return argument === undefined ? nothing : ofArgument(command, argument, names);
}

/** What follows the container of `run` is its command's. */
const isOfAnother = ({ command, operands }: Place) => command.name() === 'run' && operands > 0;

function optionOrValue(command: Command, current: string, names: () => StoreNames): Completion {
  const [flag = '', value] = current.split(/=(.*)/s);
  if (value === undefined) return { candidates: optionsOf(command).filter(isShown).map(ofOption), files: false };
  const option = optionsOf(command).find(({ long }) => long === flag);
  const candidates = option?.required === true ? valuesOf(option, names).candidates : [];
  return { candidates: candidates.map(({ word, text }) => ({ word: `${flag}=${word}`, text })), files: false };
}

/** Its own, and those of all commands. */
function optionsOf(command: Command): Option[] {
  return [...command.options, ...(command.parent === null ? [] : optionsOf(command.parent))];
}

const isShown = ({ hidden, long }: Option) => !hidden && long !== undefined && long !== '--version';
const ofOption = ({ long, description }: Option): Candidate => ({ word: long ?? '', text: description });

function commandsOf(group: Command): Candidate[] {
  const commands = group.createHelp().visibleCommands(group);
  return commands.map((each) => ({ word: each.name(), text: each.description() }));
}

function argumentAt(all: readonly Argument[], operands: number): Argument | undefined {
  const last = all.at(-1);
  return all[operands] ?? (last?.variadic === true ? last : undefined);
}

function valuesOf(option: Option, names: () => StoreNames): Completion {
  return option.argChoices === undefined ? ofKind(optionKind(option), names) : ofChoices(option.argChoices);
}

function ofArgument(command: Command, argument: Argument, names: () => StoreNames): Completion {
  const { argChoices } = argument;
  return argChoices === undefined ? ofKind(argumentKind(command, argument), names) : ofChoices(argChoices);
}

const ofChoices = (choices: readonly string[]): Completion => ({
  candidates: choices.map((word) => ({ word, text: '' })),
  files: false,
});

function ofKind(kind: Kind, names: () => StoreNames): Completion {
  const which = kind === 'any' ? allNames : kind === 'containers-or-files' ? (['containers'] as const) : [kind];
  const wanted = which.filter((each) => each !== 'files' && each !== 'none');
  const known = wanted.length === 0 ? undefined : names();
  const candidates = wanted.flatMap((each) => (known?.[each] ?? []).map((word) => ({ word, text: each.slice(0, -1) })));
  return { candidates, files: kind === 'files' || kind === 'containers-or-files' };
}
