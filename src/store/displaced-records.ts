import { readFileSync } from 'node:fs';
import * as z from 'zod';
import { basename, display, toBuffer } from '../base/bytes.js';
import { isSystemError } from '../base/errors.js';
import { isId } from '../base/ids.js';
import { own } from '../manifest/index.js';
import type { Manifest } from '../manifest/index.js';
import { requireJsonRecordSync } from './json-record.js';
import { namesIn } from './names-in.js';
import type { DisplacedPaths, StorePaths } from './paths.js';

/**
 * Ids of displaced content that belongs to no rollback: of a manifest that was never published, or partly removed. The
 * caller holds the store's exclusive lock, and changes nothing before these are gone: else the next generation would
 * match theirs.
 */
export function unpublishedDisplaced(paths: StorePaths, manifest: Manifest): string[] {
  return displacedIds(paths).filter((id) => !isPublished(paths.displaced(id), manifest));
}

/** What rollbacks have displaced. */
export function publishedDisplaced(paths: StorePaths, manifest: Manifest): DisplacedPaths[] {
  return displacedIds(paths)
    .map((id) => paths.displaced(id))
    .filter((each) => isPublished(each, manifest));
}

/** The content of asides/<id>/aside.json. Paths are texts. */
const recordSchema = z
  .strictObject({
    update: z.string(),
    container: z.string(),
    created: z.string(),
    paths: z.array(z.string()).readonly(),
  })
  .readonly();

export type DisplacedRecord = z.infer<typeof recordSchema>;

/** @throws LaminaError damaged */
export function readDisplaced({ description, tree }: DisplacedPaths): DisplacedRecord {
  return requireJsonRecordSync(description, {
    schema: recordSchema,
    fault: 'does not say what was displaced',
    code: 'DISPLACED_DAMAGED',
    hint: `restore it from a backup of the store; what was displaced is in ${display(tree)}`,
  });
}

/** Ids of displaced content whose container is gone: it cannot be restored. */
export function orphanedDisplaced(paths: StorePaths, manifest: Manifest): string[] {
  return publishedDisplaced(paths, manifest)
    .filter((each) => own(manifest.containers, readDisplaced(each).container) === undefined)
    .map(({ directory }) => basename(directory));
}

function isPublished({ description, generation }: DisplacedPaths, manifest: Manifest): boolean {
  if (textOf(description) === undefined) return false;
  const said = textOf(generation);
  // Earlier versions recorded no generation; and a value that is not a number, as from a defective disk, does not prove
  // that no rollback refers to it.
  return said === undefined || !(Number(said) > manifest.generation);
}

function displacedIds({ allDisplaced }: StorePaths): string[] {
  return namesIn(allDisplaced).filter((name) => isId(name, 'a'));
}

/** Undefined where there is no such file. */
function textOf(file: DisplacedPaths['description']): string | undefined {
  try {
    return readFileSync(toBuffer(file), 'utf8');
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return undefined;
    throw error;
  }
}
