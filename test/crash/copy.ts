import {
  chmodSync,
  copyFileSync,
  existsSync,
  lchownSync,
  linkSync,
  mkdirSync,
  readlinkSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { fromText, toText } from '../../src/base/bytes.js';
import type { DurableHook } from '../../src/platform/durable.js';
import { mknodSync, readXattrsSync, setTimesSync, setXattrSync } from '../../src/platform/native.js';
import { walk } from '../../src/platform/walk.js';
import type { WalkEntry } from '../../src/platform/walk.js';

/**
 * Copies a store as it lies on its file system: what is mounted below it is left out, as after a crash of the machine
 * or of the drivers. In this process: two programs for each crash point would take longer than all else.
 */
export function copyStore(from: string, to: string): void {
  const links = new Map<bigint, Buffer>();
  const directories: [Buffer, WalkEntry][] = [];
  let device: bigint | undefined;
  for (const entry of walk(fromText(from), { enter: ({ stats }) => stats.dev === (device ??= stats.dev) })) {
    const target = Buffer.from(`${to}/${entry.path}`, 'latin1');
    const first = links.get(entry.stats.ino);
    if (first !== undefined) {
      linkSync(first, target);
      continue;
    }
    make(entry, target);
    if (entry.stats.isDirectory()) directories.push([target, entry]);
    else if (entry.stats.nlink > 1n) links.set(entry.stats.ino, target);
  }
  // Deepest first: what is made in a directory changes its times.
  for (const [target, { stats }] of directories.reverse()) setTimesSync(target, { mtimeNs: stats.mtimeNs });
}

function make({ at, stats }: WalkEntry, target: Buffer): void {
  const mode = Number(stats.mode);
  if (stats.isDirectory()) mkdirSync(target);
  else if (stats.isFile()) copyFileSync(at, target);
  else if (stats.isSymbolicLink()) symlinkSync(readlinkSync(at, 'buffer'), target);
  else mknodSync(target, mode, Number(stats.rdev >> 8n), Number(stats.rdev & 0xffn));
  lchownSync(target, Number(stats.uid), Number(stats.gid));
  for (const [name, value] of readXattrsSync(at)) setXattrSync(target, name, value);
  if (!stats.isSymbolicLink()) chmodSync(target, mode & 0o7777);
  if (!stats.isDirectory()) setTimesSync(target, { mtimeNs: stats.mtimeNs });
}

export interface CrashPoint {
  /** "rename manifest.json": the step that was not made any more. */
  readonly step: string;
  /** The store as a process that was killed there leaves it. */
  readonly store: string;
}

/**
 * Takes a copy of a store at every durable step: what a SIGKILL right before it leaves; of the removal of a tree, which
 * is many calls, also one from its middle. The kernel drops the locks and the memory of a killed process and keeps what
 * it has written; so does the copy.
 */
export class CrashPoints {
  readonly points: CrashPoint[] = [];

  constructor(
    readonly store: string,
    readonly directory: string,
    readonly exists: () => boolean,
  ) {}

  readonly hook: DurableHook = (step, path) => {
    // What is staged lies in a transaction, and goes with it.
    if (step === 'stage') return;
    const text = toText(path);
    const name = `${step} ${text.slice(text.lastIndexOf('/') + 1)}`;
    const copy = this.#copy(name);
    if (step !== 'remove' || !text.startsWith(`${this.store}/`)) return;
    const below = text.slice(this.store.length);
    if (sizeOf(`${copy}${below}`) > 1) removeHalf(`${this.#copy(`half of ${name}`)}${below}`);
  };

  #copy(step: string): string {
    const store = `${this.directory}/${String(this.points.length)}`;
    mkdirSync(this.directory, { recursive: true });
    if (this.exists()) copyStore(this.store, store);
    this.points.push({ step, store });
    return store;
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}

const entriesOf = (tree: string) => [...walk(fromText(tree), { order: 'after' })];

function sizeOf(tree: string): number {
  return existsSync(tree) ? entriesOf(tree).length : 0;
}

/** As `removeTree` leaves it halfway. */
function removeHalf(tree: string): void {
  const entries = entriesOf(tree);
  for (const { at } of entries.slice(0, entries.length >> 1)) rmSync(at, { recursive: true });
}
