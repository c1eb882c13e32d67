import { join } from '../../base/bytes.js';
import type { BytePath } from '../../base/bytes.js';

/** The record, written last, makes the directory complete. */
export const displacedRecordName = 'aside.json';

/** What a rollback displaced in one container. */
export interface DisplacedPaths {
  readonly directory: BytePath;
  readonly tree: BytePath;
  readonly description: BytePath;
  /** The generation of the manifest that the rollback made, as a decimal number. */
  readonly generation: BytePath;
}

export function displacedPaths(directory: BytePath): DisplacedPaths {
  const description = join(directory, displacedRecordName);
  return { directory, tree: join(directory, 'tree'), description, generation: join(directory, 'generation') };
}
