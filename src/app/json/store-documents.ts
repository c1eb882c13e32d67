import * as z from 'zod';
import type { BaseShowData } from '../base-show.js';
import type { StoreExportData } from '../export-store.js';
import type { StoreImportData } from '../import-store.js';
import { base, container, count, name, node } from './parts.js';

const words = z.array(z.string());

export const shownBase = base.extend({
  nodes: z.array(node),
  config: z
    .strictObject({
      entrypoint: words.nullable(),
      cmd: words.nullable(),
      env: words,
      workdir: z.string().nullable(),
      user: z.string().nullable(),
      stopSignal: z.string().nullable(),
      labels: z.record(z.string(), z.string()),
      ports: words,
      volumes: words,
    })
    .nullable(),
}) satisfies z.ZodType<BaseShowData>;

export const exportedStore = z.strictObject({
  destination: z.string(),
  bases: z.array(name),
  containers: z.array(name),
  updates: z.array(name),
  nodes: count,
  displaced: count,
}) satisfies z.ZodType<StoreExportData>;

export const importedStore = z.strictObject({
  bases: z.array(base),
  containers: z.array(container),
  updates: z.array(name),
  shared: count,
}) satisfies z.ZodType<StoreImportData>;
