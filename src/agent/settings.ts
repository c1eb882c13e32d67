import * as z from 'zod';
import { namePattern } from '../manifest/index.js';
import { writeFileDurably } from '../platform/durable.js';
import { isThereSync } from '../platform/walk.js';
import { namesIn, readJsonRecordSync } from '../store/index.js';
import type { AgentPaths, FollowPaths } from '../store/index.js';

const schema = z
  .strictObject({
    version: z.literal(1),
    url: z.string(),
    group: z.string().regex(namePattern).nullable(),
    /** When updates may be applied; none: always. */
    windows: z.array(z.string()).readonly(),
    /** Stop the units of the containers while they are updated. */
    restart: z.boolean(),
    /** Where reports are posted; `channel`: they are written to the channel itself; null: none are sent. */
    report: z.string().nullable(),
    /** A stream of server-sent events that says when to poll; null: none. */
    events: z.string().nullable(),
    intervalSeconds: z.number().positive(),
    /** The base had this update and those before it when it began to follow; 0: none. */
    after: z.int().nonnegative(),
    plainHttp: z.boolean(),
    /** Of packages: `ImportOptions.maxBytes`. */
    maxBytes: z.int().positive().nullable(),
  })
  .readonly();

/** How a base follows a channel: the content of follow.json. */
export type FollowSettings = Omit<z.infer<typeof schema>, 'version'>;

/** Undefined: the base follows no channel. @throws LaminaError damaged */
export function readFollow({ settings }: FollowPaths): FollowSettings | undefined {
  const found = readJsonRecordSync(settings, {
    schema,
    fault: 'does not name the channel that the base follows',
    code: 'FOLLOW_DAMAGED',
    hint: 'follow the channel again: lamina follow URL --base NAME --root FILE',
  });
  if (found === undefined) return undefined;
  const { version: _, ...follow } = found;
  return follow;
}

export async function writeFollow({ settings }: FollowPaths, value: FollowSettings): Promise<void> {
  await writeFileDurably(settings, `${JSON.stringify({ version: 1, ...value }, null, 2)}\n`, { mode: 0o600 });
}

/** The bases that follow a channel, sorted. */
export function followedBases(paths: AgentPaths): string[] {
  return namesIn(paths.bases)
    .filter((name) => namePattern.test(name) && isThereSync(paths.base(name).settings))
    .sort();
}
