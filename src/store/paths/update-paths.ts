import { fromText, join } from '../../base/bytes.js';
import type { BytePath } from '../../base/bytes.js';
import { runPaths } from './run-paths.js';
import type { RunPaths } from './run-paths.js';

export class UpdatePaths {
  constructor(readonly directory: BytePath) {}
  /** The script, or the directory of a package. */
  get procedure(): BytePath {
    return join(this.directory, 'procedure');
  }
  get report(): BytePath {
    return join(this.directory, 'report.json');
  }
  /** How it was applied, beyond what the procedure states. */
  get settings(): BytePath {
    return join(this.directory, 'settings.json');
  }
  /** Of an update that came from a channel: which one it is there. */
  get channel(): BytePath {
    return join(this.directory, 'channel.json');
  }
  /** Of the run on the base, or for a container. */
  run(container?: string): RunPaths {
    const directory =
      container === undefined ? join(this.directory, 'base') : join(this.directory, 'containers', fromText(container));
    return runPaths(directory);
  }
  /**
   * What the catch-up of a container left of this update; its report was published with the manifest of that
   * generation.
   */
  catchUp(generation: number): CatchUpPaths {
    return catchUpPaths(join(this.directory, `catch-up-${generation}`));
  }
}

/** The run of an update's procedure in a container that was caught up, and its result. */
export interface CatchUpPaths extends RunPaths {
  readonly description: BytePath;
}

export function catchUpPaths(directory: BytePath): CatchUpPaths {
  return { ...runPaths(directory), description: join(directory, 'catch-up.json') };
}

/** The generation that a name in the directory of an update is for; undefined: not the name of a catch-up. */
export function catchUpGeneration(name: string): number | undefined {
  const digits = /^catch-up-(\d{1,15})$/.exec(name)?.[1];
  return digits === undefined ? undefined : Number(digits);
}
