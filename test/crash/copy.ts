import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import type { DurableHook } from '../../src/platform/durable.js';

/** Copies a store as it lies on its file system: what is mounted below it is left out, as after a crash of the machine or of the drivers. */
export function copyStore(from: string, to: string): void {
  const done = spawnSync('cp', ['--archive', '--one-file-system', '--no-target-directory', from, to]);
  if (done.status !== 0) throw new Error(`cp failed: ${done.stderr.toString()}`);
}

export interface CrashPoint {
  /** "rename manifest.json": the step that was not made any more. */
  readonly step: string;
  /** The store as a process that was killed there leaves it. */
  readonly store: string;
}

/**
 * Takes a copy of a store at every durable step: what a SIGKILL right before it leaves. The kernel drops the locks and the memory of a killed process and keeps what it has
 * written; so does the copy.
 */
export class CrashPoints {
  readonly points: CrashPoint[] = [];

  constructor(
    readonly store: string,
    readonly directory: string,
    readonly exists: () => boolean,
  ) {}

  readonly hook: DurableHook = (step, path) => {
    const store = `${this.directory}/${String(this.points.length)}`;
    mkdirSync(this.directory, { recursive: true });
    if (this.exists()) copyStore(this.store, store);
    this.points.push({ step: `${step} ${path.slice(path.lastIndexOf('/') + 1)}`, store });
  };

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}
