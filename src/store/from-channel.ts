import * as z from 'zod';
import type { BytePath } from '../base/bytes.js';
import { own } from '../manifest/index.js';
import type { Manifest, UpdateId } from '../manifest/index.js';
import { stageFile } from '../platform/durable.js';
import { readJsonRecordSync } from './json-record.js';
import type { StorePaths } from './paths.js';

const schema = z
  .strictObject({
    version: z.literal(1),
    /** Its place in the channel, and its name there. */
    sequence: z.int().positive(),
    name: z.string(),
    /** Of its package. */
    sha256: z.string().regex(/^[0-9a-f]{64}$/),
  })
  .readonly();

/** The content of updates/<id>/channel.json: which update of the channel that its base follows it is. */
export type FromChannel = Omit<z.infer<typeof schema>, 'version'>;

/**
 * Writes it beside the other files of an update that is staged: so the manifest that publishes the update also says
 * that the channel's update is applied, in the same step.
 */
export function stageFromChannel(file: BytePath, { sequence, name, sha256 }: FromChannel): void {
  stageFile(file, `${JSON.stringify({ version: 1, sequence, name, sha256 }, null, 2)}\n`);
}

/** The updates of a base that came from a channel and are in force, also merged ones. @throws LaminaError damaged */
export function updatesFromChannel(
  paths: StorePaths,
  manifest: Manifest,
  base: string,
): { readonly id: UpdateId; readonly from: FromChannel }[] {
  return Object.keys(manifest.updates).flatMap((id) => {
    const update = own(manifest.updates, id);
    if (update?.base !== base || update.state === 'rolled-back') return [];
    const from = readJsonRecordSync(paths.update(id).channel, {
      schema,
      fault: 'does not name its update in the channel',
      code: 'ORIGIN_DAMAGED',
      hint: 'restore it from a backup of the store; without it the agent would apply that update again',
    });
    return from === undefined ? [] : [{ id, from }];
  });
}
