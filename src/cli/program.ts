import { Command, CommanderError, Option } from 'commander';
import { display, printable } from '../base/bytes.js';
import { messageOf } from '../base/errors.js';
import { version } from '../base/version.js';
import { locateStore } from '../app/store-location.js';
import { Output } from './output.js';
import { addAgentCommand } from './agent-command.js';
import { addBaseCommands } from './bases-command.js';
import { addBundleCommand } from './bundle-command.js';
import { addChannelCommands } from './channel/channel-command.js';
import { addPackageCommands } from './channel/package-command.js';
import { addContainerCommands } from './containers-command.js';
import { addCompletionCommand } from './completion/command.js';
import { addDisplacedCommands } from './displaced-command.js';
import { exitCode } from './exit-code.js';
import { addExportCommand } from './export-command.js';
import { addFollowCommands } from './follow-command.js';
import { addHelp } from './help.js';
import { addHostCommand } from './host-command.js';
import { addImportCommand } from './import-command.js';
import { addInspectCommands } from './inspect-command.js';
import { checkRemote } from './remote/commands.js';
import { reportEnd, reportStart, reportTo } from './progress-fd.js';
import { runArguments, runFailed } from './run-command.js';
import { write } from './stream.js';
import { addServeCommand } from './serve-command.js';
import { addSettingsCommand } from './settings-command.js';
import { addSnapshotterCommand } from './snapshotter-command.js';
import { addUnitCommand } from './unit-command.js';
import { addUpdateCommands } from './updates.js';
import { allCommands, fullName, onUsageError, wantsJson } from './usage.js';
import { addVerifyCommand } from './verify-command.js';
import { addWatchCommand } from './watch-command.js';

/** Runs the command line; gives the exit code (docs/commands.md). */
export async function main(argv: readonly string[]): Promise<number> {
  const code = await runLine(argv);
  reportEnd(code);
  return code;
}

async function runLine(argv: readonly string[]): Promise<number> {
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
    .addOption(
      new Option('--progress-fd <n>', 'report progress on this open descriptor, one JSON object a line').argParser(
        reportTo,
      ),
    )
    .option('--remote <url>', 'work on the store of a server: unix:PATH, http://127.0.0.1:PORT or https://HOST')
    .hook('preAction', (_, action) => {
      checkRemote(action);
      reportStart(fullName(action).replace(/^lamina /, ''));
    })
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
  addBundleCommand(program);
  addUnitCommand(program);
  addExportCommand(program);
  addImportCommand(program);
  addUpdateCommands(program);
  addDisplacedCommands(program);
  addInspectCommands(program);
  addVerifyCommand(program);
  addSettingsCommand(program);
  addWatchCommand(program);
  addServeCommand(program);
  addPackageCommands(program);
  addChannelCommands(program);
  addSnapshotterCommand(program);
  addFollowCommands(program);
  addAgentCommand(program);
  addCompletionCommand(program);
  for (const command of [program, ...allCommands(program)]) if (command.commands.length > 0) addHelp(command);
  // Also for the commands that show help: else wrong usage of them would end the process without a message.
  for (const command of [program, ...allCommands(program)]) onUsageError(command);
  return program;
}

const help = `
Exit codes: 0 done; 1 failed, and nothing changed; 2 wrong usage; 3 not found; 4 refused (in use, would lose data); 5
the store is damaged; 6 partly done; 7 done, but the output could not be written. run exits with the code of its
command, or with 125, 126 or 127.

LAMINA_STORE names the store if --store does not. LAMINA_TOKEN_FILE names a file with the token for --remote.
LAMINA_DEBUG=1 prints a stack trace with an error. LAMINA_LOCK_TIMEOUT_MS is how long a command waits for others that
hold the store, in milliseconds (default: 30000).

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
