import type { Command, Option } from 'commander';
import type { SignalSource } from '../app/containers.js';
import { usage } from '../base/errors.js';
import { contextOf } from './context.js';
import { setExitCode } from './exit-code.js';

/** As podman has it: the command that runs another has failed itself. */
export const runFailed = 125;

export function addRunCommand(program: Command): void {
  program
    .command('run <container> [command...]')
    .usage('[options] <container> [command...]')
    .description("run a command isolated in a container's root")
    .option('--network', 'with the network')
    .addHelpText(
      'after',
      `
What follows the container's name is the command's; without a command, a shell. The exit code is the command's; 125: lamina
failed, 126: the command cannot be invoked, 127: it is not found. The command gets the signals that lamina gets; a second SIGINT ends it.

Examples:
  lamina run web nginx -t
  lamina run --network web apt-get update`,
    )
    .action(async (name: string, words: string[], options: { network?: boolean }, command: Command) => {
      const signals = relayedSignals();
      const { output, store } = contextOf(command);
      if (output.json)
        throw usage('--json does nothing with run, which prints what its command does', { hint: 'leave --json out' });
      const { run } = await import('../app/containers.js');
      const line = words.length > 0 ? words : ['/bin/sh'];
      setExitCode(await run(await store(), name, line, { network: options.network === true, signals }));
    });
}

const relayed = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'] as const;

/** From now on these signals are the command's. Those that come before it has begun wait for it; those after it are for nobody. */
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
 * @param argv with the program's two own words before it
 * @returns undefined where the command is another one
 */
export function runArguments(program: Command, argv: readonly string[]): string[] | undefined {
  const at = firstOperand(program.options, argv, 2);
  if (at === undefined || argv[at] !== 'run') return undefined;
  const run = program.commands.find((command) => command.name() === 'run');
  const container = firstOperand(run?.options ?? [], argv, at + 1, program.options);
  if (container === undefined || argv[container + 1] === '--') return [...argv];
  return [...argv.slice(0, container + 1), '--', ...argv.slice(container + 1)];
}

/** The place of the first word that is neither an option nor its value; undefined where there is none, or `--` comes first. */
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
