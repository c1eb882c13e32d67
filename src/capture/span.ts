import { closeSync, fstatSync, openSync, writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import * as z from 'zod';
import { join, toBuffer } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { must } from '../base/errors.js';
import { alignTimes, withTimes } from '../changeset/index.js';
import type { Listing, Span, TimedRun } from '../changeset/index.js';
import { stageFile } from '../platform/durable.js';
import { setTimesSync } from '../platform/native.js';
import { readJsonRecordSync, withReach } from '../store/index.js';
import type { RunPaths } from '../store/index.js';

const nanoseconds = z.string().regex(/^-?\d{1,24}$/);
const spanSchema = z.strictObject({ version: z.literal(1), after: nanoseconds, until: nanoseconds.nullable() });

/** Some file systems keep whole seconds, FAT only even ones. Milliseconds. */
const longestTick = 3000;

/**
 * Notes that a run is about to write. The clock of the file system advances in ticks, so this waits for the next one:
 * what was written before has an older time than all that the run writes.
 * @param directory on the file system that the run writes to
 */
export async function beginSpan({ span }: Pick<RunPaths, 'span'>, directory: BytePath): Promise<void> {
  const clock = new FileClock(directory);
  try {
    const after = clock.now();
    for (const end = Date.now() + longestTick; clock.now() <= after && Date.now() < end;) await sleep(1);
    writeSpan(span, { after, until: undefined });
  } finally {
    clock.close();
  }
}

/** Notes that a run has written all. */
export function endSpan({ span }: RunPaths, directory: BytePath): Span {
  const clock = new FileClock(directory);
  try {
    // The clock of system calls, with which programs set times themselves, is up to one tick ahead of the file
    // system's.
    const programs = BigInt(Date.now() + 1) * 1_000_000n;
    const files = clock.now();
    const { after } = must(parseSpan(span), 'the begin of a run');
    const whole = { after, until: programs > files ? programs : files };
    writeSpan(span, whole);
    return whole;
  } finally {
    clock.close();
  }
}

/**
 * When a recorded run wrote. Undefined: it was recorded by a version that did not note it.
 * @throws LaminaError damaged
 */
export function readSpan(file: BytePath): Span | undefined {
  const span = parseSpan(file);
  return span?.until === undefined ? undefined : { after: span.after, until: span.until };
}

/** Sets the aligned times (`alignTimes`) on what a run in a container wrote, on disk and in its listing. */
export function alignCapture<T extends { readonly tree: BytePath; readonly listing: Listing; readonly span: Span }>(
  capture: T,
  base: TimedRun | undefined,
): T {
  if (base === undefined) return capture;
  const times = alignTimes(capture.listing, capture.span, base);
  withReach(capture.tree, (tree) => {
    for (const [path, mtimeNs] of times) tree.at(path, (at) => setTimesSync(at, { mtimeNs }));
  });
  return { ...capture, listing: withTimes(capture.listing, times) };
}

interface OpenSpan {
  readonly after: bigint;
  readonly until: bigint | undefined;
}

function writeSpan(file: BytePath, { after, until }: OpenSpan): void {
  stageFile(
    file,
    `${JSON.stringify({ version: 1, after: `${after}`, until: until === undefined ? null : `${until}` })}\n`,
  );
}

function parseSpan(file: BytePath): OpenSpan | undefined {
  const stored = readJsonRecordSync(file, {
    schema: spanSchema,
    fault: 'does not say when the procedure ran',
    code: 'SPAN_DAMAGED',
    hint: 'run lamina verify',
  });
  if (stored === undefined) return undefined;
  const { after, until } = stored;
  return { after: BigInt(after), until: until === null ? undefined : BigInt(until) };
}

/** The time that the file system gives to what is written now. */
class FileClock {
  readonly #descriptor: number;

  constructor(directory: BytePath) {
    this.#descriptor = openSync(toBuffer(join(directory, 'clock')), 'w', 0o600);
  }

  now(): bigint {
    writeSync(this.#descriptor, '.', 0);
    return fstatSync(this.#descriptor, { bigint: true }).mtimeNs;
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}
