import { Counter, Gauge, Registry } from 'prom-client';
import { version } from '../base/version.js';
import type { DriverStatistics } from '../app/driver-statistics.js';
import type { StatusData } from '../app/inspect.js';
import type { App, Served } from './served.js';

/** What /metrics says, in the text format of Prometheus. Names of containers are no labels: there may be thousands. */
export function addMetrics(app: App, served: Served): void {
  const registry = new Registry();
  const gauges = storeGauges(registry);
  const requests = new Counter({
    name: 'lamina_http_requests_total',
    help: 'Requests by status',
    labelNames: ['status'] as const,
    registers: [registry],
  });
  const streams = gauge(registry, 'lamina_http_event_streams', 'Open streams of events');
  const jobs = gauge(registry, 'lamina_jobs', 'Jobs on record by state', ['state']);
  app.addHook('onResponse', (_request, reply, done) => {
    requests.inc({ status: String(reply.statusCode) });
    done();
  });
  app.get('/metrics', { schema: { summary: 'for Prometheus', produces: ['text/plain'] } }, async (_request, reply) => {
    const { listed } = await import('../app/container-list.js');
    const { driverStatistics } = await import('../app/driver-statistics.js');
    const status = await served.status.read();
    gauges.store(status, listed(status));
    gauges.drivers(await driverStatistics(served.store, status));
    streams.set(served.streams.count);
    jobs.reset();
    for (const { state } of served.jobs.list()) jobs.inc({ state });
    return reply.type(registry.contentType).send(await registry.metrics());
  });
}

function gauge<L extends string>(registry: Registry, name: string, help: string, labelNames: readonly L[] = []) {
  return new Gauge({ name, help, labelNames: [...labelNames], registers: [registry] });
}

type Listed = readonly { readonly base: string; readonly state: string; readonly mountpoint: string | null }[];

function storeGauges(registry: Registry) {
  const make = <L extends string>(name: string, help: string, labels: readonly L[] = []) =>
    gauge(registry, `lamina_${name}`, help, labels);
  const info = make('info', 'The version of lamina', ['version']);
  info.set({ version }, 1);
  const generation = make('store_generation', 'Changes that were published');
  const containers = make('containers', 'Containers by base and state', ['base', 'state']);
  const mounted = make('containers_mounted', 'Mounted containers by base', ['base']);
  const updates = make('updates', 'Updates by base and state', ['base', 'state']);
  const effects = make('update_effects', 'Containers that updates serviced, by outcome', ['base', 'outcome']);
  const saved = make('saved_bytes', 'Additional bytes that a flat copy for each container would take', ['base']);
  const stored = make('stored_bytes', 'Bytes of content by kind of node', ['kind']);
  const running = make('running_commands', 'Commands that change the store at this moment');
  const drivers = make('drivers', 'Drivers of mounted containers that responded');
  const counts = make('driver_count', 'Counts of the drivers of mounted containers together, since each was mounted', [
    'count',
  ]);
  return {
    store(status: StatusData, all: Listed) {
      for (const each of [containers, mounted, updates, effects, saved, stored]) each.reset();
      generation.set(status.generation);
      running.set(status.running.length);
      for (const { base, state } of all) containers.inc({ base, state });
      for (const { base, mountpoint } of all) if (mountpoint !== null) mounted.inc({ base });
      for (const { base, state, effects: each } of status.updates) {
        updates.inc({ base, state });
        for (const { outcome } of each) effects.inc({ base, outcome });
      }
      for (const { kind, bytes } of status.nodes) stored.inc({ kind }, bytes);
      for (const [base, bytes] of savedBytes(status)) saved.set({ base }, bytes);
    },
    drivers(statistics: DriverStatistics) {
      drivers.set(statistics.drivers);
      for (const [count, value] of Object.entries(statistics.counts)) counts.set({ count }, value);
    },
  };
}

/** By base: the bytes of the layers below each container beyond the first. */
export function savedBytes({ bases, nodes, containers }: Pick<StatusData, 'bases' | 'nodes' | 'containers'>) {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const known = new Map<string, number>();
  const below = (id: string): number => {
    const chain: string[] = [];
    for (let at: string | null = id; at !== null && !known.has(at); at = byId.get(at)?.parent ?? null) chain.push(at);
    for (const each of chain.reverse()) {
      const node = byId.get(each);
      known.set(each, (node?.bytes ?? 0) + (known.get(node?.parent ?? '') ?? 0));
    }
    return known.get(id) ?? 0;
  };
  return bases.map(({ name }) => {
    const sizes = containers.filter(({ base }) => base === name).map(({ layer }) => below(layer));
    return [name, sizes.reduce((sum, size) => sum + size, 0) - Math.max(0, ...sizes)] as const;
  });
}
