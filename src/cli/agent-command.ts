import type { Command } from 'commander';
import { printable } from '../base/bytes.js';
import type { AgentData } from '../app/agent.js';
import { countOf } from './arguments.js';
import { contextOf } from './context.js';
import { setExitCode } from './exit-code.js';
import { counted } from './output.js';
import { refuseIdle } from './usage.js';

interface AgentOptions {
  readonly once?: boolean;
  readonly retry?: boolean;
  readonly listen?: string;
  readonly spread: string;
  readonly patience: string;
}

export function addAgentCommand(program: Command): void {
  program
    .command('agent')
    .description('follow the channels of all bases: apply new updates, roll back withdrawn ones, report')
    .option('--once', 'poll each channel once, then exit; exit code 1 if something failed')
    .option('--retry', 'first retry updates that failed here, or were rolled back by hand')
    .option('--listen <address>', '[HOST:]PORT to receive notifications on, besides the socket in the store')
    .option('--spread <seconds>', 'the time within which a channel is polled after a notification or the start', '10')
    .option('--patience <seconds>', 'how long to retry if a container is mounted or the store is in use', '60')
    .addHelpText('after', help)
    .action(async (options: AgentOptions, command: Command) => {
      refuseIdle(command, [
        {
          option: 'listen',
          unless: ({ once }) => once !== true,
          because: 'with --once each channel is polled at once',
        },
      ]);
      const { output, store, signal } = contextOf(command);
      const { runAgent } = await import('../app/agent.js');
      const { once = false, retry = false, listen } = options;
      const data = await runAgent(await store(), {
        once,
        retry,
        listen,
        spreadMs: (countOf('spread', options.spread) ?? 0) * 1000,
        patienceMs: (countOf('patience', options.patience) ?? 0) * 1000,
        signal,
        onNote: (text) => {
          output.note(printable(text));
        },
      });
      if (once && hasFailed(data)) setExitCode(1);
      output.result(data, () => agentText(data));
    });
}

const help = `
An update that fails its health check changes nothing; it is reported, and not tried again without --retry.
Notifications only make it poll the channel. Send them by POST, with any body: the webhook of a registry counts if it
names the channel. The socket is agent/socket in the store: curl --unix-socket SOCKET -X POST http://agent/
Ctrl-C and SIGTERM end it; an update that is being applied is aborted, and applied at the next start.

Examples:
  lamina agent
  lamina agent --listen 0.0.0.0:8088
  lamina agent --once`;

const failedOutcomes = ['failed', 'waiting'];

const hasFailed = ({ bases }: AgentData) =>
  bases.some(
    ({ updates, stuck, errors }) =>
      errors.length > 0 ||
      (stuck !== null && stuck.code !== 'NOT_OFFERED') ||
      updates.some(({ outcome }) => failedOutcomes.includes(outcome)),
  );

function agentText({ bases }: AgentData): string {
  return bases
    .map(({ base, updates, stuck }) => {
      const why = stuck === null ? '' : `; update ${stuck.update} is next: ${printable(stuck.because)}`;
      return `base ${base}: ${counted(updates.length, 'update')} worked on${why}`;
    })
    .join('\n');
}
