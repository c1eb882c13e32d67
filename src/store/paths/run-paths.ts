import { join } from '../../base/bytes.js';
import type { BytePath } from '../../base/bytes.js';

/** The records of one run of a procedure. */
export interface RunPaths {
  readonly directory: BytePath;
  readonly output: BytePath;
  readonly journal: BytePath;
  readonly reads: BytePath;
  /** When it wrote. */
  readonly span: BytePath;
}

export function runPaths(directory: BytePath): RunPaths {
  return {
    directory,
    output: join(directory, 'output.log'),
    journal: join(directory, 'journal.ndjson'),
    reads: join(directory, 'reads.ndjson'),
    span: join(directory, 'span.json'),
  };
}

/** A directory in which a transaction mounts a stack, and all that the mount needs. */
export interface RunDirectory {
  readonly directory: BytePath;
  readonly mountpoint: BytePath;
  /** The writable tree of the mount, where it is not that of a node. */
  readonly upper: BytePath;
  /** The driver holds its lock as long as it lives. */
  readonly work: BytePath;
  /** The rules of the filter. */
  readonly filter: BytePath;
  /** What a health check prints. */
  readonly output: BytePath;
}

export function runDirectory(directory: BytePath): RunDirectory {
  return {
    directory,
    mountpoint: join(directory, 'root'),
    upper: join(directory, 'upper'),
    work: join(directory, 'work'),
    filter: join(directory, 'filter.json'),
    output: runPaths(directory).output,
  };
}
