import { Option } from 'commander';
import type { Command } from 'commander';
import type { RunOptions, SandboxUsers, SignalSource } from '../app/containers.js';
import { usage } from '../base/errors.js';
import { bytesOf, collect, countOf, numberOf } from './arguments.js';
import { contextOf } from './context.js';
import { setExitCode } from './exit-code.js';

/** As in podman: the command that runs another has failed itself. */
export const runFailed = 125;

export function addRunCommand(program: Command): void {
  program
    .command('run <container> [command...]')
    .usage('[options] <container> [command...]')
    .description("run a command isolated in a container's root")
    .option('--network', 'allow the network')
    .option('--user <user[:group]>', 'as this user of the container; a name or a number')
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
      new Option('--userns <whose>', 'which user namespace it runs in: see below')
        .choices(['auto', 'own', 'host'])
        .default('auto'),
    )
    .addHelpText('after', help)
    .action(async (name: string, words: string[], options: RunWords, command: Command) => {
      const signals = relayedSignals();
      const { output, store } = contextOf(command);
      if (output.json)
        throw usage('--json does nothing with run, which prints what its command does', { hint: 'leave --json out' });
      const { run } = await import('../app/containers.js');
      const line = words.length > 0 ? words : ['/bin/sh'];
      const asked = { network: options.network === true, signals, options: optionsOf(options) };
      setExitCode(await run(await store(), name, line, asked));
    });
}

const help = `
What follows the container's name is the command's; without a command, a shell. The exit code is the command's; 125: lamina
failed, 126: the command cannot be invoked, 127: it is not found. The command gets the signals that lamina gets; a second SIGINT ends it.
Where input and output are a terminal the command has one of its own, which they are passed on to.

Root's containers run in a user namespace: users 0 to 65535 of a container are nobody on the host, though its files keep the owners
that they have. auto: where the machine can (lamina host says whether), own: or else not at all, host: without. In one, device nodes
cannot be made, users above 65535 show as 65534, and with --network ports below 1024 cannot be taken: --userns host lets all that
be, but root in the container is then root of the machine, kept from it only by what it may not do.

Each --cap-add takes away from what keeps a container from the host. With --userns host, SYS_ADMIN, SYS_MODULE, SYS_RAWIO, SYS_PTRACE,
DAC_READ_SEARCH and the like, or all, let a program in it become root of the machine. --no-new-privileges=false lets its users become
its root by su, sudo and other set-user-ID programs of the container: use it only where you trust all of them. Sizes are bytes, or
k, m, g, t.

Examples:
  lamina run web nginx -t
  lamina run --network web apt-get update
  lamina run --user www-data --memory 512m --pids 100 web ./job`;

interface RunWords {
  readonly network?: boolean;
  readonly user?: string;
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
      processes: wholeNumberOf('pids', words.pids),
      memoryBytes: bytesOf('memory', words.memory),
      processors: numberOf('cpus', words.cpus),
      sharedBytes: bytesOf('shm-size', words.shmSize),
    },
    user: words.user,
    addedCapabilities: words.capAdd ?? [],
    droppedCapabilities: words.capDrop ?? [],
    mayGainPrivileges: words.newPrivileges === 'false',
    users: words.userns,
  };
}

function wholeNumberOf(option: string, text: string | undefined): number | undefined {
  const value = countOf(option, text);
  if (value === 0) throw usage(`--${option} 0: give a whole number above 0`);
  return value;
}

const relayed = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'] as const;

/**
 * From now on these signals go to the command. Those that arrive before it has begun wait for it; those after it are
 * ignored.
 */
function relayedSignals(): SignalSource {
  const early: NodeJS.Signals[] = [];
  let listener = (signal: NodeJS.Signals): void => void early.push(signal);
  for (const name of relayed) {
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
