import { countNames, driverCounts } from '../mount/index.js';
import type { DriverCounts } from '../mount/index.js';
import type { Store } from '../store/index.js';
import type { StatusData } from './inspect.js';

/** The sums of the counters of the drivers of mounted containers. */
export interface DriverStatistics {
  /** Those that answer. */
  readonly drivers: number;
  readonly counts: DriverCounts;
}

export async function driverStatistics(store: Store, status: StatusData): Promise<DriverStatistics> {
  const sum = Object.fromEntries(countNames.map((name) => [name, 0])) as Record<keyof DriverCounts, number>;
  let drivers = 0;
  const mounted = [
    ...status.containers.filter(({ engine }) => engine === 'fuse').map(({ name }) => name),
    ...status.elsewhere.filter(({ engine }) => engine === 'fuse').map(({ container }) => container),
  ];
  for (const name of mounted) {
    const counts = await driverCounts(store.paths.control(name));
    if (counts === undefined) continue;
    drivers += 1;
    for (const each of countNames) sum[each] += counts[each];
  }
  return { drivers, counts: sum };
}
