import type { Command } from 'commander';
import { printable } from '../../base/bytes.js';
import type { RolloutData } from '../../app/channel/fleet.js';
import { contextOf } from '../context.js';
import { shown } from '../output.js';
import { refuseIdle } from '../usage.js';
import { fleetRequest, withFleetOptions } from './fleet-options.js';
import type { FleetWords } from './fleet-options.js';
import { signingOf } from './signing-options.js';
import type { GivenSigning } from './signing-options.js';

/** The words of `channel promote` that decide by the reports of machines. */
export interface RolloutWords extends GivenSigning, Omit<FleetWords, 'machines'> {
  readonly when?: string;
  readonly steps: string;
  readonly withNewer?: boolean;
  readonly dryRun?: boolean;
  readonly percent?: string;
}

export const withRollout = (command: Command): Command =>
  withFleetOptions(
    command
      .option('--when <rule>', "only if the machines report it: 'canary: 95% ok for 1h, failures < 3'; for a timer")
      .option('--steps <percentages>', 'with --when: the shares of all machines, one after the other', '10,50,100'),
  )
    .option('--with-newer', 'with --when: if it is withdrawn, machines roll newer updates back with it')
    .option('--dry-run', 'with --when: say what would be done');

export const rolloutHelp = `
With --when it does at most one step: it raises the share to the next one once the rule holds for its time, withdraws
the update as soon as there are too many failures, and else prints what is missing. Run it by a timer, every few
minutes, on a machine that has the keys of rollout, snapshot and timestamp and no others. The rule begins with the group
of the update (all: it has none) and counts the machines that the update is offered to; "machines >= 5" asks for that
many.`;

/** @throws LaminaError usage: options that exclude each other */
export function refuseIdleRollout(command: Command): void {
  const rule = (option: string) => ({
    option,
    unless: ({ when }: Readonly<Record<string, unknown>>) => when !== undefined,
    because: 'without --when',
  });
  refuseIdle(command, [
    ...['steps', 'reports', 'trustNew', 'plainHttp', 'withNewer', 'dryRun'].map(rule),
    {
      option: 'percent',
      unless: ({ when }) => when === undefined,
      because: 'with --when: --steps has the percentages',
    },
  ]);
}

export async function promoteByRule(
  directory: string,
  update: string,
  words: RolloutWords & { readonly when: string },
  command: Command,
): Promise<void> {
  const { output, signal } = contextOf(command);
  const { promoteWhen } = await import('../../app/channel/fleet.js');
  const { keyDirectories, passphrase } = signingOf(directory, words);
  const data = await promoteWhen({
    ...fleetRequest(directory, words, signal),
    update,
    when: words.when,
    steps: words.steps,
    withNewer: words.withNewer === true,
    dryRun: words.dryRun === true,
    keyDirectories,
    passphrase,
  });
  output.result(data, () => rolloutText(data));
}

function rolloutText({ update, action, percent, because, dryRun }: RolloutData): string {
  const would = dryRun ? 'would be ' : '';
  const done = {
    wait: `stays at ${percent}%`,
    raise: `${would}raised to ${percent}%`,
    withdraw: `${would}withdrawn`,
    complete: 'is complete',
    ended: 'has ended',
  }[action];
  return `update ${shown(update)} ${done}: ${printable(because)}`;
}
