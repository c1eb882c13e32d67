import { readFileSync } from 'node:fs';
import { toBuffer } from '../base/bytes.js';
import { isSystemError } from '../base/errors.js';
import { isId } from '../base/ids.js';
import type { Manifest } from '../manifest/index.js';
import { namesIn } from './names-in.js';
import type { AsidePaths, StorePaths } from './paths.js';

/**
 * Ids of asides that no rollback answers for: those of a manifest that was never published, and those whose removal was cut short. The caller holds the store's exclusive
 * lock, and changes nothing before these are gone: the next generation would be taken for theirs.
 */
export function unpublishedAsides(paths: StorePaths, manifest: Manifest): string[] {
  return asideIds(paths).filter((id) => !isPublished(paths.aside(id), manifest));
}

/** What rollbacks have put aside. */
export function publishedAsides(paths: StorePaths, manifest: Manifest): AsidePaths[] {
  return asideIds(paths)
    .map((id) => paths.aside(id))
    .filter((aside) => isPublished(aside, manifest));
}

function isPublished({ description, generation }: AsidePaths, manifest: Manifest): boolean {
  if (textOf(description) === undefined) return false;
  const said = textOf(generation);
  // Those of earlier versions say nothing.
  return said === undefined || Number(said) <= manifest.generation;
}

function asideIds({ asides }: StorePaths): string[] {
  return namesIn(asides).filter((name) => isId(name, 'a'));
}

/** Undefined where there is no such file. */
function textOf(file: AsidePaths['description']): string | undefined {
  try {
    return readFileSync(toBuffer(file), 'utf8');
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return undefined;
    throw error;
  }
}
