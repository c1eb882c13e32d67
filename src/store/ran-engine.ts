import * as z from 'zod';

/** What mounted a container in which a procedure ran, and why where that was left to Lamina. */
export const ranEngineSchema = z
  .strictObject({ engine: z.enum(['fuse', 'kernel']), because: z.string().nullable() })
  .readonly();

export type RanEngine = z.infer<typeof ranEngineSchema>;
