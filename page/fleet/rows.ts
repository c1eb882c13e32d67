/* Which machines of a fleet a table shows. Pure. */
import type { Machine } from './documents.js';

/** The states of a machine that can be filtered by. */
export const machineStates = ['failed', 'waiting', 'done', 'silent'] as const;
type MachineState = (typeof machineStates)[number];

function stateOf({ reported, outcomes }: Pick<Machine, 'reported' | 'outcomes'>): MachineState {
  if (reported === null) return 'silent';
  if (outcomes.failed > 0) return 'failed';
  return outcomes.waiting > 0 ? 'waiting' : 'done';
}

/** @param find a part of the host's name, or of the machine's id; @param state empty: any */
export function machinesFor(machines: readonly Machine[], find: string, state: string): readonly Machine[] {
  const wanted = find.toLowerCase();
  return machines.filter(
    (each) =>
      (state === '' || stateOf(each) === state) &&
      (each.machine.includes(wanted) || (each.host ?? '').toLowerCase().includes(wanted)),
  );
}
