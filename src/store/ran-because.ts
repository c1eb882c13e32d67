import * as z from 'zod';

/**
 * Why a procedure was run in a container: a path at which the container differs from the base, and what the run on the
 * base did with it. Paths are texts.
 */
export const ranBecauseOfSchema = z
  .strictObject({
    path: z.string(),
    did: z.array(z.strictObject({ action: z.string(), path: z.string() }).readonly()).readonly(),
  })
  .readonly();

export type RanBecauseOf = z.infer<typeof ranBecauseOfSchema>;

/** Of a record of an earlier version, which has the path alone. */
export const pathAlone = (path: string): RanBecauseOf => ({ path, did: [] });
