import * as z from 'zod';
import { failed } from '../base/errors.js';
import { jsonOf } from '../base/json.js';
import { limitNamed, limits } from '../base/limits.js';
import { namePattern, parseRange, versionPattern } from '../manifest/index.js';
import { packageTarget } from './names.js';
import type { ChannelUpdate } from './types.js';

const name = z.string().regex(namePattern);
const time = z.iso.datetime();
const percent = z.number().min(0).max(100);

const entry = z.strictObject({
  sequence: z.int().positive(),
  name,
  package: z.strictObject({
    path: z.string(),
    sha256: z.string().regex(/^[0-9a-f]{64}$/),
    bytes: z.int().positive(),
  }),
  group: name.nullable(),
  percent,
  from: z
    .string()
    .max(1024)
    .refine((range) => parseRange(range) !== undefined)
    .nullable(),
  to: z.string().regex(versionPattern).nullable(),
  publishedAt: time,
});

const channelSchema = z
  .strictObject({
    version: z.literal(1),
    base: name.nullable(),
    updates: z
      .array(entry)
      .max(limits.channelUpdates.value, `has too many updates; ${limitNamed(limits.channelUpdates)}`),
  })
  .superRefine(({ base, updates }, context) => {
    const fault = (message: string) => {
      context.addIssue({ code: 'custom', message });
    };
    if (base === null && updates.length > 0) fault('it has updates for no base');
    if (new Set(updates.map((each) => each.name)).size !== updates.length) fault('two updates have one name');
    updates.forEach((each, i) => {
      if (each.sequence !== i + 1) fault(`update ${each.name} is not the next one`);
      if (each.package.path !== packageTarget(each.package.sha256)) fault(`the package of ${each.name} is misnamed`);
    });
  });

const rolloutSchema = z.strictObject({
  version: z.literal(1),
  updates: z.record(
    name,
    z.strictObject({ percent: percent.optional(), withdrawn: z.boolean(), withNewer: z.boolean() }),
  ),
});

/** `channel.json`, which the key of the role `targets` signs: the updates, in order. */
export type ChannelContent = z.infer<typeof channelSchema>;
/** `rollout.json`, which the key of the role `rollout` signs: percentages and withdrawals, by update. */
export type RolloutContent = z.infer<typeof rolloutSchema>;

export const emptyChannel: ChannelContent = { version: 1, base: null, updates: [] };
export const emptyRollout: RolloutContent = { version: 1, updates: {} };

/** @throws LaminaError failed (CHANNEL_CONTENT): it is no such document */
export function parseChannel(bytes: Uint8Array): ChannelContent {
  return parse(channelSchema, bytes, 'channel.json');
}

/** As `parseChannel`. */
export function parseRollout(bytes: Uint8Array): RolloutContent {
  return parse(rolloutSchema, bytes, 'rollout.json');
}

function parse<T>(schema: z.ZodType<T>, bytes: Uint8Array, what: string): T {
  const value = jsonOf(Buffer.from(bytes).toString('utf8'));
  const newer = z.looseObject({ version: z.int().min(2) }).safeParse(value);
  if (newer.success)
    throw failed(`${what} of the channel has the format ${newer.data.version}, which this version does not know`, {
      code: 'CHANNEL_CONTENT',
      hint: 'upgrade lamina on this machine',
    });
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const where = issue === undefined || issue.path.length === 0 ? '' : ` at ${issue.path.join('.')}`;
  throw failed(`${what} of the channel is signed, but not valid${where}: ${issue?.message ?? 'it is not a document'}`, {
    code: 'CHANNEL_CONTENT',
    hint: 'the publisher must publish it again; the updates that were applied stay as they are',
  });
}

/**
 * The updates of a channel, with what the rollout says of each. What the rollout says of updates that the channel does
 * not list is without effect: only the key that publishes can add one.
 */
export function updatesOf({ base, updates }: ChannelContent, rollout: RolloutContent): ChannelUpdate[] {
  if (base === null) return [];
  return updates.map((each) => {
    const said = Object.hasOwn(rollout.updates, each.name) ? rollout.updates[each.name] : undefined;
    return {
      ...each,
      base,
      percent: said?.percent ?? each.percent,
      withdrawn: said?.withdrawn ?? false,
      withNewer: said?.withNewer ?? false,
    };
  });
}

/** The bytes of a document: the same for the same content. */
export function encodeContent(content: ChannelContent | RolloutContent): Buffer {
  return Buffer.from(`${JSON.stringify(content, null, 1)}\n`);
}
