import { Argument } from 'commander';
import type { Command } from 'commander';
import { contextOf } from '../context.js';
import { completionScripts, shells } from './scripts.js';
import type { Shell } from './scripts.js';

export function addCompletionCommand(program: Command): void {
  program
    .command('completion')
    .addArgument(new Argument('<shell>', 'the shell that the script is for').choices(shells))
    .description('print a script that lets a shell complete commands, options and names')
    .addHelpText('after', help)
    .action((shell: Shell, _options: object, command: Command) => {
      const script = completionScripts[shell];
      contextOf(command).output.result({ shell, script }, () => script.trimEnd());
    });
}

const help = `
The script calls lamina for each completion. Names of containers, bases and updates come from the store's manifest.

Examples:
  source <(lamina completion bash)
  lamina completion bash >/etc/bash_completion.d/lamina
  lamina completion zsh >/usr/local/share/zsh/site-functions/_lamina
  lamina completion fish >~/.config/fish/completions/lamina.fish`;
