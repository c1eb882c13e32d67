import { fromText, join } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';

/** What of the fleet lies in the directory of a channel: beside what is served, and not in it. */
export interface FleetPlaces {
  /** The machines that are enrolled. */
  readonly machines: BytePath;
  /** How far rollouts are. */
  readonly rollouts: BytePath;
}

export function fleetPlaces(channel: BytePath): FleetPlaces {
  const at = (name: string) => join(channel, fromText(name));
  return { machines: at('machines.json'), rollouts: at('rollouts.json') };
}
