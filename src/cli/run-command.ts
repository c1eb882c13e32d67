import { Option } from 'commander';
import type { Command } from 'commander';
import type { ChosenEngine, EngineWish, RunOptions, SandboxUsers, SignalSource } from '../app/containers.js';
import { usage } from '../base/errors.js';
import { relayedSignals } from '../base/signals.js';
import { isMachineRoot } from '../platform/privileges.js';
import { bytesOf, collect, countOf, numberOf } from './arguments.js';
import { contextOf } from './context.js';
import { engineOption, noteEngine } from './engine-option.js';
import { setExitCode } from './exit-code.js';
import { startOptions } from './start-options.js';

/** As in podman: the command that runs another has failed itself. */
export const runFailed = 125;

export function addRunCommand(program: Command): void {
  program
    .command('run <container> [command...]')
    .usage('[options] <container> [command...]')
    .description("run a command isolated in a container's root")
    .option('--network', 'allow the network')
    .addOption(engineOption('what mounts it where it is not mounted: see lamina mount (default: lamina settings)'))
    .addOption(startOptions.user())
    .addOption(startOptions.env())
    .addOption(startOptions.workdir())
    .option('--pids <number>', 'limit on processes and threads (default: 2048)')
    .option('--memory <size>', 'limit on memory, including swap (default: 80 % of the machine)')
    .option('--cpus <number>', 'limit on processor time, in processors (default: all, at low priority)')
    .option('--shm-size <size>', 'size of /dev/shm (default: 64m)')
    .option('--cap-add <capability>', 'add a capability of root, or all; may be repeated (risk: see below)', collect)
    .option('--cap-drop <capability>', 'drop a capability, or all; may be repeated', collect)
    .addOption(
      new Option('--no-new-privileges <boolean>', 'false: set-user-ID programs work (risk: see below)').choices([
        'true',
        'false',
      ]),
    )
    .addOption(
      new Option('--userns <whose>', 'the user namespace it runs in: see below')
        .choices(['auto', 'own', 'host'])
        .default('auto'),
    )
    .addHelpText('after', help)
    .action(async (name: string, words: string[], options: RunWords, command: Command) => {
      const signals = signalSource();
      const { output, store } = contextOf(command);
      if (output.json)
        throw usage('--json does nothing with run, which prints what its command does', { hint: 'leave --json out' });
      const { run } = await import('../app/containers.js');
      const asked = {
        network: options.network === true,
        signals,
        options: optionsOf(options),
        engine: options.engine,
        onEngine: (chosen: ChosenEngine) => {
          noteEngine(output, chosen);
          if (chosen.engine === 'kernel' && options.userns === 'auto' && isMachineRoot())
            output.note(
              'mounted by the kernel, the container has no user namespace: only capabilities and the system call filter keep its root from the host',
            );
        },
      };
      setExitCode(await run(await store(), name, words, asked));
    });
}

const help = `
Everything after the container's name is the command. Without a command, the entrypoint and command of the image that
its base was made from run, or else a shell. The image's user, variables and working directory apply unless options
override them. The exit code is that of the command, or 125 if lamina failed, 126 if the command cannot be invoked, 127
if it is not found. Signals that lamina gets are passed on to the command; a second SIGINT ends it. If input and output
are a terminal, the command gets a terminal of its own that is connected to it.

When root runs a container, it gets a user namespace: users 0 to 65535 of the container have no rights on the host,
though its files keep their owners. --userns auto makes one if the machine supports it (see lamina host), own fails if
it does not, and host makes none. In a user namespace device nodes cannot be made, users above 65535 show as 65534, and
with --network ports below 1024 cannot be bound. --userns host lifts these limits, but then root in the container is
root of the machine, held back only by the capabilities and system calls that it lacks.

Each --cap-add weakens the isolation of the container. With --userns host, SYS_ADMIN, SYS_MODULE, SYS_RAWIO, SYS_PTRACE,
DAC_READ_SEARCH and similar capabilities, or all, let a program in it become root of the machine.
--no-new-privileges=false lets users of the container become its root by su, sudo and other set-user-ID programs: use it
only if you trust all of them. Sizes are in bytes, or end in k, m, g or t.

Examples:
  lamina run web nginx -t
  lamina run --network web apt-get update
  lamina run --user www-data --memory 512m --pids 100 web ./job`;

interface RunWords {
  readonly engine?: EngineWish;
  readonly network?: boolean;
  readonly user?: string;
  readonly env?: string[];
  readonly workdir?: string;
  readonly pids?: string;
  readonly memory?: string;
  readonly cpus?: string;
  readonly shmSize?: string;
  readonly capAdd?: string[];
  readonly capDrop?: string[];
  /** Commander's name of --no-new-privileges; true where it was not given. */
  readonly newPrivileges: boolean | 'true' | 'false';
  readonly userns: SandboxUsers;
}

function optionsOf(words: RunWords): RunOptions {
  return {
    limits: {
      processes: countOf('pids', words.pids, 1),
      memoryBytes: bytesOf('memory', words.memory),
      processors: numberOf('cpus', words.cpus),
      sharedBytes: bytesOf('shm-size', words.shmSize),
    },
    user: words.user,
    addedCapabilities: words.capAdd ?? [],
    droppedCapabilities: words.capDrop ?? [],
    mayGainPrivileges: words.newPrivileges === 'false',
    users: words.userns,
    environment: environmentOf(words.env ?? []),
    workingDirectory: workdirOf(words.workdir),
  };
}

export function environmentOf(words: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    words.map((word) => {
      const equals = word.indexOf('=');
      if (equals < 1) throw usage(`--env ${word}: give a name, '=' and a value`);
      return [word.slice(0, equals), word.slice(equals + 1)];
    }),
  );
}

export function workdirOf(directory: string | undefined): string | undefined {
  if (directory === undefined || directory.startsWith('/')) return directory;
  throw usage(`--workdir ${directory}: give an absolute path in the container`);
}

/**
 * From now on these signals go to the command. Those that arrive before it has begun wait for it; those after it are
 * ignored.
 */
function signalSource(): SignalSource {
  const early: NodeJS.Signals[] = [];
  let listener = (signal: NodeJS.Signals): void => void early.push(signal);
  for (const name of relayedSignals) {
    process.on(name, () => {
      listener(name);
    });
  }
  return {
    subscribe: (given) => {
      listener = given;
      for (const signal of early.splice(0)) given(signal);
      return () => {
        listener = () => undefined;
      };
    },
  };
}

/**
 * The command line, with `--` after the container of `run`: options that follow it are the command's.
 * @param argv with the two words of the program before it
 * @returns undefined for any other command
 */
export function runArguments(program: Command, argv: readonly string[]): string[] | undefined {
  const at = firstOperand(program.options, argv, 2);
  if (at === undefined || argv[at] !== 'run') return undefined;
  const run = program.commands.find((command) => command.name() === 'run');
  const container = firstOperand(run?.options ?? [], argv, at + 1, program.options);
  if (container === undefined || argv[container + 1] === '--') return [...argv];
  return [...argv.slice(0, container + 1), '--', ...argv.slice(container + 1)];
}

/**
 * The place of the first word that is neither an option nor its value; undefined where there is none, or `--` comes
 * first.
 */
function firstOperand(
  options: readonly Option[],
  argv: readonly string[],
  from: number,
  more: readonly Option[] = [],
): number | undefined {
  for (let at = from; at < argv.length; at++) {
    const word = argv[at] ?? '';
    if (word === '--') return undefined;
    if (!word.startsWith('-') || word === '-') return at;
    const option = [...options, ...more].find(({ long, short }) => word === long || word === short);
    if (option?.required === true) at++;
  }
  return undefined;
}
