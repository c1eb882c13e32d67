import { messageOf } from '../base/errors.js';
import { outputOf } from '../platform/process.js';
import { storeVariable, unitName } from './unit.js';

/** A service of systemd that runs a container, as `lamina unit` names it. */
export interface ContainerUnit {
  readonly container: string;
  readonly unit: string;
}

/** A unit that could not be started again. */
export interface StartFault extends ContainerUnit {
  readonly message: string;
}

const runningStates = ['active', 'activating', 'reloading'];

/**
 * The units of these containers that run.
 * @param store only of this one: others may have containers of the same names
 * @throws LaminaError notFound, failed: systemctl cannot be asked
 */
export async function runningUnits(store: string, containers: readonly string[]): Promise<ContainerUnit[]> {
  if (containers.length === 0) return [];
  const units = containers.map((container) => ({ container, unit: `${unitName(container)}.service` }));
  const asked = ['show', '--property=Id,ActiveState,Environment', ...units.map(({ unit }) => unit)];
  const shown = propertiesOf((await systemctl(asked)).toString('utf8'));
  return units.filter(({ unit }) => {
    const properties = shown.find((each) => each.get('Id') === unit);
    return (
      runningStates.includes(properties?.get('ActiveState') ?? '') && isOf(store, properties?.get('Environment') ?? '')
    );
  });
}

/** systemctl show: a block a unit, with a blank line between. */
function propertiesOf(text: string): ReadonlyMap<string, string>[] {
  return text
    .split(/\n{2,}/)
    .map(
      (block) => new Map(block.split('\n').map((line) => [line.split('=', 1)[0] ?? '', line.replace(/^[^=]*=/, '')])),
    );
}

/** Values are shown bare, or in quotes where they hold more than plain characters. */
function isOf(store: string, environment: string): boolean {
  const wanted = `${storeVariable}=${store}`;
  return [...environment.matchAll(/"((?:[^"\\]|\\.)*)"|(\S+)/g)].some(
    ([, quoted, plain]) => (quoted?.replace(/\\(.)/g, '$1') ?? plain) === wanted,
  );
}

export interface StopOptions {
  /** Called for each that does not start. */
  readonly onFault: (fault: StartFault) => void;
  /** Ends the wait for units that do not stop. */
  readonly signal: AbortSignal | undefined;
}

/**
 * Works while units are stopped, and starts them again, whatever comes of it.
 * @throws LaminaError what the work throws; failed: a unit could not be stopped; then all are started again, and
 * nothing was done
 */
export async function whileStopped<T>(
  units: readonly ContainerUnit[],
  { onFault, signal }: StopOptions,
  work: () => Promise<T>,
): Promise<T> {
  try {
    await stop(units, signal);
    return await work();
  } finally {
    for (const each of units) {
      try {
        await systemctl(['start', each.unit]);
      } catch (error) {
        onFault({ ...each, message: messageOf(error) });
      }
    }
  }
}

async function stop(units: readonly ContainerUnit[], signal: AbortSignal | undefined): Promise<void> {
  if (units.length === 0) return;
  try {
    await systemctl(['stop', ...units.map(({ unit }) => unit)], signal);
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  }
}

const systemctl = async (args: readonly string[], signal?: AbortSignal): Promise<Buffer> =>
  outputOf({ command: 'systemctl', args, ...(signal === undefined ? {} : { signal }) });
