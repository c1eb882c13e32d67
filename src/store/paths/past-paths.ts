import { join } from '../../base/bytes.js';
import type { BytePath } from '../../base/bytes.js';
import { UpdatePaths } from './update-paths.js';

/** The record of an update that ended. */
export interface PastPaths {
  readonly directory: BytePath;
  readonly record: BytePath;
  /**
   * Of what was published and rolled back: the generation of the manifest that the rollback made, as a decimal number.
   */
  readonly generation: BytePath;
  readonly procedure: BytePath;
  readonly settings: BytePath;
  readonly report: BytePath;
}

export function pastPaths(directory: BytePath): PastPaths {
  const { procedure, settings, report } = new UpdatePaths(directory);
  const [record, generation] = [join(directory, 'record.json'), join(directory, 'generation')];
  return { directory, record, generation, procedure, settings, report };
}
