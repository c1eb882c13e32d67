import type { World } from './lamina.js';

/** With a base `tiny`, and containers `web` and `db` on it. */
export type ClosedWorld = World & {
  /** Where directories to mount on are made. */
  readonly points: string;
};

/** A command as it does its work, to be run into a closed pipe. Each leaves the world as it was, but for ids. */
export interface Closed {
  readonly prepare?: (world: ClosedWorld) => unknown;
  readonly args: (world: ClosedWorld) => readonly string[] | Promise<readonly string[]>;
  /** Whether it did what its exit code says; undefined: it changes nothing. */
  readonly done?: (world: ClosedWorld) => boolean | Promise<boolean>;
  readonly after?: (world: ClosedWorld) => unknown;
  /** What it says on standard error, which is read. */
  readonly says?: RegExp;
  /** Where it cannot be 0. */
  readonly code?: number;
  /** It does its work where there is no store. */
  readonly withoutStore?: true;
}
