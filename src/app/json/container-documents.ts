import * as z from 'zod';
import type { BundleData } from '../bundle.js';
import type { ListData, ListedContainer, OneData } from '../container-list.js';
import type { MountData } from '../containers.js';
import type { MountAllData } from '../mount-table.js';
import type { ProcessesData } from '../processes.js';
import type { UnmountAllData } from '../umount-all.js';
import type { UnitData } from '../unit.js';
import { container, count, engine, name, node, path } from './parts.js';

/* What commands print of containers, and of what runs them. */

export const mountedElsewhere = z.strictObject({
  container: name,
  mountpoint: path,
  engine,
  snapshot: z.string().nullable(),
});

const listedContainer = container.extend({
  driverGone: z.boolean(),
  state: z.enum(['newest', 'behind', 'left-behind']),
  elsewhere: path.nullable(),
  snapshot: z.string().nullable(),
}) satisfies z.ZodType<ListedContainer>;
const list = z.strictObject({ containers: z.array(listedContainer) }) satisfies z.ZodType<ListData>;
export const one = z.strictObject({ container: listedContainer, storages: z.array(node) }) satisfies z.ZodType<OneData>;

const mounted = container.extend({
  engineBecause: z.string().nullable(),
  mode: z.enum(['stateless', 'passthrough']).nullable(),
}) satisfies z.ZodType<MountData>;
const unmountedAll = z.strictObject({
  unmounted: z.array(container),
  failed: z.array(
    z.strictObject({ container: z.string(), code: z.string(), message: z.string(), hint: z.string().nullable() }),
  ),
}) satisfies z.ZodType<UnmountAllData>;
const mountedAll = z.strictObject({
  mounted: z.array(mounted),
  already: z.array(name),
  failed: z.array(
    z.strictObject({
      container: z.string(),
      directory: z.string(),
      line: count,
      code: z.string(),
      message: z.string(),
      hint: z.string().nullable(),
      mayFail: z.boolean(),
    }),
  ),
}) satisfies z.ZodType<MountAllData>;
const unit = z.strictObject({
  container: name,
  runtime: z.enum(['run', 'podman', 'nspawn', 'runc', 'crun']),
  file: path,
  text: z.string(),
  missing: z.string().nullable(),
}) satisfies z.ZodType<UnitData>;
const bundled = mounted.extend({ bundle: path }) satisfies z.ZodType<BundleData>;
const processes = z.strictObject({
  container: name,
  processes: z.array(
    z.strictObject({
      process: count,
      command: z.string(),
      replaced: z.array(z.string()),
      known: z.boolean(),
      restart: z.boolean(),
    }),
  ),
}) satisfies z.ZodType<ProcessesData>;

export const containerDocuments: Readonly<Record<string, readonly z.ZodObject[]>> = {
  mount: [mounted, mountedAll],
  umount: [container, unmountedAll],
  bundle: [bundled],
  unit: [unit],
  list: [list],
  processes: [processes],
};
