import { createHash } from 'node:crypto';
import type { ChannelUpdate } from './types.js';

/** What a rollout knows of a machine. */
export interface OfferedMachine {
  /** Of the machine, for ever the same. */
  readonly id: string;
  readonly group: string | null;
}

/**
 * Whether a machine is offered an update: it is of the update's group, or its place among all machines is below the
 * percentage. The place comes from a hash of the machine's id and the update's name: it stays the same when the
 * percentage is raised, so that a machine that was offered an update stays so, and differs from update to update, so
 * that it is not always the same machines that come first. A withdrawn update is offered to nobody.
 */
export function isOfferedTo(machine: OfferedMachine, update: ChannelUpdate): boolean {
  if (update.withdrawn) return false;
  if (update.group !== null && update.group === machine.group) return true;
  return update.percent >= 100 || placeOf(machine.id, update.name) < update.percent;
}

/** 0 to below 100, evenly over all machines. */
function placeOf(machine: string, update: string): number {
  const hash = createHash('sha256').update(`${machine}\0${update}`).digest();
  return (hash.readUIntBE(0, 6) / 2 ** 48) * 100;
}
