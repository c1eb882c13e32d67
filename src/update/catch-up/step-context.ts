import type { RunLocation, Work, WrittenTree } from '../../capture/index.js';
import type { Manifest, Update, UpdateId } from '../../manifest/index.js';
import type { ConflictChoice, Settings } from '../../package/index.js';
import type { ServiceOptions } from '../container/service.js';

export interface StepOptions extends Pick<ServiceOptions, 'onOutput' | 'onEngine' | 'engine'> {
  /** Overrides of the settings with which the updates were applied. */
  readonly timeoutMs?: number | undefined;
  readonly conflict?: ConflictChoice | undefined;
  readonly alwaysRun?: boolean | undefined;
}

/** An update as it was applied. */
export interface Recorded {
  readonly id: UpdateId;
  readonly update: Update;
  readonly settings: Settings;
  readonly location: RunLocation;
}

/** A container on the layer below the step's. */
export interface StepContext {
  readonly work: Work;
  readonly manifest: Manifest;
  readonly container: string;
  /** The step's updates, oldest first. */
  readonly recorded: readonly Recorded[];
  /** What the step's layer holds. */
  readonly delta: WrittenTree;
  readonly options: StepOptions;
}
