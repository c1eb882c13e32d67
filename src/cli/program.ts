import { Command, CommanderError } from 'commander';
import { version } from '../base/version.js';
import { Output } from './output.js';
import { addBaseCommands } from './bases.js';
import { addContainerCommands } from './containers.js';
import { addDisplacedCommands } from './displaced.js';
import { exitCode } from './exit-code.js';
import { addInspectCommands } from './inspect.js';
import { addUpdateCommands } from './updates.js';
import { addVerifyCommand } from './verify.js';
import { addWatchCommand } from './watch.js';

const usageExit = 2;

/** Runs the command line; gives the exit code: 0 done, 1 failed, 2 wrong usage, 3 no such thing, 4 refused, 5 the store is damaged. */
export async function main(argv: readonly string[]): Promise<number> {
  const program = makeProgram();
  try {
    await program.parseAsync([...argv]);
    return exitCode();
  } catch (error) {
    if (error instanceof CommanderError) {
      const asked =
        error.code === 'commander.helpDisplayed' ||
        error.code === 'commander.help' ||
        error.code === 'commander.version';
      return asked && error.exitCode === 0 ? 0 : usageExit;
    }
    return new Output(argv.includes('--json')).error(error);
  }
}

function makeProgram(): Command {
  const program = new Command('lamina')
    .description('Keeps the state of containers across updates of the base they share.')
    .version(version)
    .option('--store <dir>', 'the store (default: LAMINA_STORE, or /var/lib/lamina)')
    .option('--json', 'print one JSON document on standard output')
    .showHelpAfterError('(see lamina --help)')
    .exitOverride();
  addBaseCommands(program);
  addContainerCommands(program);
  addUpdateCommands(program);
  addDisplacedCommands(program);
  addInspectCommands(program);
  addVerifyCommand(program);
  addWatchCommand(program);
  for (const command of allCommands(program))
    command.exitOverride().showHelpAfterError(`(see ${fullName(command)} --help)`);
  return program;
}

/** As it is typed, with the commands it belongs to. */
function fullName(command: Command): string {
  return command.parent === null ? command.name() : `${fullName(command.parent)} ${command.name()}`;
}

function allCommands(command: Command): Command[] {
  return command.commands.flatMap((each) => [each, ...allCommands(each)]);
}
