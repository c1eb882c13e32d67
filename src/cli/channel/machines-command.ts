import type { Command } from 'commander';
import type { MachineData, MachineShowData } from '../../app/channel/machines.js';
import { printable } from '../../base/bytes.js';
import { usage } from '../../base/errors.js';
import { contextOf } from '../context.js';
import { counted, shown, table } from '../output.js';
import { withSteps } from '../steps.js';
import { fleetRequest, machinesOption, withFleetOptions } from './fleet-options.js';
import type { FleetWords } from './fleet-options.js';

export function addMachines(channel: Command): void {
  withFleetOptions(
    channel
      .command('machines <channel> [machine]')
      .description('list the enrolled machines of a channel with what they reported, or show the report of one'),
  )
    .addOption(machinesOption())
    .addHelpText(
      'after',
      '\nMACHINE is the id of a machine. lamina channel status shows the same by update.\n\nExamples:\n  lamina channel machines ./channel\n  lamina channel machines ./channel m-387d6c7a1273969a67e2cef8b0270ba3',
    )
    .action(async (...given: [string, string | undefined, FleetWords, Command]) => {
      const [where, machine, words, command] = given;
      const { output, signal } = contextOf(command);
      const { fleetMachine, fleetMachines } = await import('../../app/channel/machines.js');
      const request = fleetRequest(where, words, signal);
      if (machine !== undefined && request.trustNew)
        throw usage('--trust-new does nothing for one machine', { hint: 'leave out the machine, or the option' });
      if (machine === undefined) {
        const data = await withSteps('reports', async ({ onStep }) => fleetMachines({ ...request, onStep }));
        output.result({ machines: data }, () => machinesText(data));
      } else {
        const data = await fleetMachine(request, machine);
        output.result(data, () => machineText(data));
      }
    });
}

function machinesText(machines: readonly MachineData[]): string {
  const head = ['MACHINE', 'HOST', 'GROUP', 'REPORTED', 'DONE', 'FAILED', 'WAITING', 'NEWEST'];
  const rows = machines.map(({ machine, host, group, reported, outcomes, newest }) => [
    machine,
    host === null ? '-' : shown(host),
    group ?? '-',
    reported ?? 'never',
    ...[outcomes.applied + outcomes.already + outcomes.unchanged, outcomes.failed, outcomes.waiting].map(String),
    newest === null ? '-' : `${newest.name}: ${newest.outcome}`,
  ]);
  return table(head, rows, 'no machine is enrolled');
}

function machineText({ machine, host, lamina, group, reported, updates }: MachineShowData): string {
  if (reported === null) return `machine ${machine} is enrolled and has sent no report`;
  const of = group === null ? '' : `, group ${group}`;
  const head = ['UPDATE', 'OUTCOME', 'STARTED', 'CHANGED', 'SKIPPED', 'FAILED', 'CONFLICTS'];
  const rows = updates.map(({ name, outcome, started, containers: { changed, skipped, failed, conflicts } }) => [
    ...[name, outcome, started ?? '-'],
    ...[changed, skipped, failed, conflicts].map(String),
  ]);
  const failures = updates.flatMap(({ name, error, failures: some }) => [
    ...(error === null ? [] : [`${name}: ${printable(error.message)}`]),
    ...some.map(({ container, reason }) => `${name} in container ${shown(container)}: ${printable(reason)}`),
  ]);
  return [
    `machine ${machine} (${shown(host ?? '')}${of}), lamina ${shown(lamina ?? '')}, reported ${reported}`,
    `${counted(updates.length, 'update')}, the newest first`,
    '',
    table(head, rows, 'it reports no update'),
    ...failures,
  ].join('\n');
}
