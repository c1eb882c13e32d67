import { readFile } from 'node:fs/promises';
import * as z from 'zod';
import { display, toBuffer } from '../../base/bytes.js';
import { failed, isSystemError, notFound } from '../../base/errors.js';
import { jsonOf } from '../../base/json.js';
import { writeFileDurably } from '../../platform/durable.js';
import type { Role } from '../names.js';
import type { Places } from './places.js';

const days = z.number().positive().max(36_500);
const schema = z.strictObject({
  format: z.literal('lamina-channel'),
  version: z.literal(1),
  /** How long what a role signs is valid, in days. */
  validDays: z.strictObject({ root: days, targets: days, snapshot: days, timestamp: days, rollout: days }),
});

/** What is chosen when a channel is made. */
export type ChannelSettings = z.infer<typeof schema>;

/**
 * A machine notices within the timestamp's days that a server withholds updates; the others need keys that a timer does
 * not have, so they last longer than the longest pause between two updates.
 */
export const usualDays: Readonly<Record<Role, number>> = {
  root: 730,
  targets: 365,
  snapshot: 365,
  rollout: 365,
  timestamp: 7,
};

export async function writeSettings(places: Places, settings: ChannelSettings): Promise<void> {
  await writeFileDurably(places.settings, `${JSON.stringify(settings, null, 2)}\n`);
}

/** @throws LaminaError notFound: there is no channel; failed: its settings are not valid */
export async function readSettings(places: Places): Promise<ChannelSettings> {
  let text: string;
  try {
    text = await readFile(toBuffer(places.settings), 'utf8');
  } catch (error) {
    if (!isSystemError(error, 'ENOENT', 'ENOTDIR')) throw error;
    throw notFound(`there is no channel in ${display(places.directory)}`, {
      code: 'NO_CHANNEL',
      hint: 'make one with lamina channel init, or give the directory of an existing channel',
    });
  }
  const parsed = schema.safeParse(jsonOf(text));
  if (parsed.success) return parsed.data;
  throw failed(`${display(places.settings)} is not valid: ${parsed.error.issues[0]?.message ?? ''}`, {
    hint: 'restore it from a copy of the directory',
  });
}
