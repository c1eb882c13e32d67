import { readFile, readdir, stat } from 'node:fs/promises';
import * as z from 'zod';
import { display, toBuffer } from '../../base/bytes.js';
import { failed } from '../../base/errors.js';
import { jsonOf } from '../../base/json.js';
import { metadataDirectory, metadataPath, targetPath } from '../names.js';
import type { Places } from './places.js';

const hashes = z.looseObject({ sha256: z.string() });
const version = z.looseObject({ version: z.int().positive() });
const snapshotSchema = z.looseObject({
  signed: z.looseObject({ meta: z.looseObject({ 'targets.json': version, 'rollout.json': version }) }),
});
const targetsSchema = z.looseObject({
  signed: z.looseObject({ targets: z.record(z.string(), z.looseObject({ hashes })) }),
});

/**
 * The files of the states that a machine may still read: of the one in force, and of those that were replaced after
 * `since`. A timestamp that names an older state has expired. Roots are not among them: all are needed for ever.
 * @param current the version of the snapshot in force
 * @returns paths of the channel (names.ts)
 * @throws LaminaError failed (CHANNEL_DIRECTORY): the metadata of such a state is missing or not valid
 */
export async function neededFiles(places: Places, current: number, since: Date): Promise<ReadonlySet<string>> {
  const needed = new Set<string>();
  for (const snapshot of await snapshotsAfter(places, current, since)) {
    const { meta } = (await read(places, snapshot, snapshotSchema)).signed;
    needed.add(snapshot);
    for (const role of ['targets', 'rollout'] as const) {
      const path = metadataPath(role, meta[`${role}.json`].version);
      needed.add(path);
      const { targets } = (await read(places, path, targetsSchema)).signed;
      for (const [name, target] of Object.entries(targets)) needed.add(targetPath(name, target.hashes.sha256));
    }
  }
  return needed;
}

/** A snapshot was in force until the next one was written. */
async function snapshotsAfter(places: Places, current: number, since: Date): Promise<string[]> {
  const names = await readdir(toBuffer(places.published(metadataDirectory)));
  const versions = names
    .flatMap((name) => /^(\d{1,15})\.snapshot\.json$/.exec(name)?.[1] ?? [])
    .map(Number)
    .filter((each) => each < current)
    .sort((a, b) => b - a);
  const found = [metadataPath('snapshot', current)];
  for (const each of versions) {
    const { mtime } = await stat(toBuffer(places.published(found.at(-1) ?? '')));
    if (mtime <= since) break;
    found.push(metadataPath('snapshot', each));
  }
  return found;
}

async function read<T>(places: Places, path: string, schema: z.ZodType<T>): Promise<T> {
  const file = places.published(path);
  const parsed = schema.safeParse(jsonOf(await readFile(toBuffer(file), 'utf8')));
  if (parsed.success) return parsed.data;
  throw failed(`${display(file)} is not valid: ${parsed.error.issues[0]?.message ?? ''}`, {
    code: 'CHANNEL_DIRECTORY',
    hint: 'restore the directory from a backup, or from a place to which it was pushed',
  });
}

/** What `prune` may remove, if it is not needed: metadata below the versions in force, targets, and their parts. */
export function isPrunable(path: string, inForce: Readonly<Record<string, number>>): boolean {
  if (/^targets\/(?:[0-9a-f]{64}\.[A-Za-z0-9._-]{1,63}|\.package\.part)$/.test(path)) return true;
  const [, number, role = ''] = /^metadata\/(\d{1,15})\.(targets|rollout|snapshot)\.json$/.exec(path) ?? [];
  return number !== undefined && Number(number) < (inForce[role] ?? 0);
}
