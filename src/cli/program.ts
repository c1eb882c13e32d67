import { Command, CommanderError } from 'commander';
import { display, printable } from '../base/bytes.js';
import { messageOf } from '../base/errors.js';
import { version } from '../base/version.js';
import { locateStore } from '../app/store-location.js';
import { Output } from './output.js';
import { addBaseCommands } from './bases-command.js';
import { addContainerCommands } from './containers-command.js';
import { addCompletionCommand } from './completion/command.js';
import { addDisplacedCommands } from './displaced-command.js';
import { exitCode } from './exit-code.js';
import { addHelp } from './help.js';
import { addHostCommand } from './host-command.js';
import { addInspectCommands } from './inspect-command.js';
import { runArguments, runFailed } from './run-command.js';
import { write } from './stream.js';
import { addUpdateCommands } from './updates.js';
import { allCommands, onUsageError, wantsJson } from './usage.js';
import { addVerifyCommand } from './verify-command.js';
import { addWatchCommand } from './watch-command.js';

/** Runs the command line; gives the exit code (docs/commands.md). */
export async function main(argv: readonly string[]): Promise<number> {
  const program = makeProgram();
  const runs = runArguments(program, argv);
  try {
    await program.parseAsync(runs ?? [...argv]);
    return exitCode();
  } catch (error) {
    // Help, or the version, was requested and printed.
    if (error instanceof CommanderError && error.exitCode === 0) return exitCode();
    const code = new Output(wantsJson((runs ?? argv).slice(2))).error(error);
    return runs === undefined ? code : runFailed;
  }
}

/** @param store the words that help has for the store of whoever asks */
export function makeProgram(store = defaultStore()): Command {
  const program = new Command('lamina')
    .description('Keeps the state of containers across updates of the base they share.')
    .version(version)
    .option('--store <dir>', `the store (default: ${store})`)
    .option('--json', 'print one JSON document on standard output')
    .addHelpText('after', help)
    .configureOutput({
      writeOut: (text) => {
        write('stdout', text);
      },
      writeErr: (text) => {
        write('stderr', printable(text));
      },
      // The error is thrown, and printed by `main`.
      outputError: () => undefined,
    });
  addHostCommand(program);
  addBaseCommands(program);
  addContainerCommands(program);
  addUpdateCommands(program);
  addDisplacedCommands(program);
  addInspectCommands(program);
  addVerifyCommand(program);
  addWatchCommand(program);
  addCompletionCommand(program);
  for (const command of [program, ...allCommands(program)]) if (command.commands.length > 0) addHelp(command);
  // Also for the commands that show help: else wrong usage of them would end the process without a message.
  for (const command of [program, ...allCommands(program)]) onUsageError(command);
  return program;
}

const help = `
Exit codes: 0 done; 1 failed, and nothing changed; 2 wrong usage; 3 no such thing; 4 refused (in use, would lose data); 5 the store is
damaged; 6 done in part; 7 done, but the output could not be written. run ends with its command's code, or with 125, 126 or 127.

LAMINA_STORE names the store where --store does not. LAMINA_DEBUG=1 says of an error where in the program it comes from.
LAMINA_LOCK_TIMEOUT_MS is how long a command waits for others that hold the store, in milliseconds (default: 30000).

Example:
  lamina help update apply`;

/** The caller's default store, in words. */
function defaultStore(): string {
  try {
    return display(locateStore(undefined));
  } catch (error) {
    return `none: ${messageOf(error)}`;
  }
}
