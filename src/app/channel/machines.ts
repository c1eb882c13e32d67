import type { CountedReport, UpdateOutcome, UpdateReport } from '../../fleet/index.js';
import { reportOf, reportsOf } from './fleet.js';
import type { FleetRequest } from './fleet.js';

/** An enrolled machine, by its newest report. */
export interface MachineData {
  readonly machine: string;
  /** Null, as all below: it has sent no report. */
  readonly host: string | null;
  readonly base: string | null;
  readonly group: string | null;
  readonly lamina: string | null;
  /** The version of the channel that it saw last. */
  readonly channelVersion: number | null;
  /** When it wrote the report. */
  readonly reported: string | null;
  /** How many updates it reports, by outcome. */
  readonly outcomes: Readonly<Record<UpdateOutcome, number>>;
  /** The newest update that it reports. */
  readonly newest: { readonly name: string; readonly outcome: UpdateOutcome } | null;
  /** The newest failure. */
  readonly failure: { readonly update: string; readonly code: string; readonly message: string } | null;
}

/** One machine with all that its report says of updates, the newest first. */
export interface MachineShowData extends MachineData {
  readonly updates: readonly UpdateReport[];
}

/** The enrolled machines of a fleet: those with a report by host, then those without. */
export async function fleetMachines(request: FleetRequest): Promise<MachineData[]> {
  const { found } = await reportsOf(request);
  const byHost = (a: MachineData, b: MachineData) => ((a.host ?? '') < (b.host ?? '') ? -1 : 1);
  return [...found.reports.map(machineData).sort(byHost), ...found.silent.map(silentMachine)];
}

/** One of them. @throws LaminaError notFound: it is not enrolled */
export async function fleetMachine(request: FleetRequest, machine: string): Promise<MachineShowData> {
  const report = await reportOf(request, machine);
  if (report === undefined) return { ...silentMachine(machine), updates: [] };
  return { ...machineData(report), updates: [...report.updates].reverse() };
}

const none: MachineData['outcomes'] = {
  applied: 0,
  already: 0,
  unchanged: 0,
  'rolled-back': 0,
  failed: 0,
  waiting: 0,
};

function machineData({ machine, host, base, group, lamina, channel, written, updates }: CountedReport): MachineData {
  const outcomes = { ...none };
  for (const { outcome } of updates) outcomes[outcome] += 1;
  const newest = updates.at(-1);
  const failed = updates.findLast(({ outcome }) => outcome === 'failed');
  return {
    ...{ machine, host, base, group, lamina, channelVersion: channel, reported: written, outcomes },
    newest: newest === undefined ? null : { name: newest.name, outcome: newest.outcome },
    failure:
      failed === undefined
        ? null
        : { update: failed.name, code: failed.error?.code ?? '', message: failed.error?.message ?? '' },
  };
}

const silentMachine = (machine: string): MachineData => ({
  ...{ machine, host: null, base: null, group: null, lamina: null, channelVersion: null, reported: null },
  ...{ outcomes: none, newest: null, failure: null },
});
