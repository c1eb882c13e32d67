import { closeSync, fstatSync, openSync, readFileSync, readSync } from 'node:fs';
import * as z from 'zod';
import { fromText, join, toBuffer } from '../../base/bytes.js';
import type { BytePath } from '../../base/bytes.js';
import { isSystemError } from '../../base/errors.js';
import { isRecord, jsonOf } from '../../base/json.js';
import { openFlags } from '../../platform/open-flags.js';

/** The files of a job, which is all that is known of it: a server that starts again continues with them. */
export interface JobFiles {
  readonly directory: BytePath;
  /** What was asked for, by whom and when. */
  readonly request: BytePath;
  /** The document that the command prints, its remarks with the output of procedures, and its progress. */
  readonly document: BytePath;
  readonly output: BytePath;
  readonly progress: BytePath;
  /** Locked while the command runs. */
  readonly lock: BytePath;
  /** Exists once the job was asked to end. */
  readonly cancel: BytePath;
  /** How it ended. */
  readonly end: BytePath;
}

export function jobFiles(jobs: BytePath, id: string): JobFiles {
  const directory = join(jobs, fromText(id));
  const file = (name: string) => join(directory, name);
  return {
    directory,
    request: file('request.json'),
    document: file('document.json'),
    output: file('output.log'),
    progress: file('progress.ndjson'),
    lock: file('lock'),
    cancel: file('cancel'),
    end: file('end.json'),
  };
}

const requestSchema = z.strictObject({
  version: z.literal(1),
  command: z.string(),
  args: z.array(z.string()),
  request: z.record(z.string(), z.unknown()),
  dryRun: z.boolean(),
  by: z.string(),
  started: z.iso.datetime(),
  /** Its entry in the audit log. */
  audit: z.string(),
});
export type JobRequest = z.infer<typeof requestSchema>;

const endSchema = z.strictObject({
  version: z.literal(1),
  state: z.enum(['done', 'failed', 'cancelled', 'aborted']),
  exitCode: z.number().int().nullable(),
  message: z.string().nullable(),
  ended: z.iso.datetime(),
});
export type JobEnd = z.infer<typeof endSchema>;

/** Bytes: more than any request makes, whose body has 1 MiB; each byte that is no UTF-8 becomes three. */
const longestRecord = 4 << 20;

/** Undefined: it does not exist, or a crash or another program left one that is none. */
export const readRequest = (files: JobFiles): JobRequest | undefined => record(files.request, requestSchema);
export const readEnd = (files: JobFiles): JobEnd | undefined => record(files.end, endSchema);

function record<T>(path: BytePath, schema: z.ZodType<T>): T | undefined {
  const text = startOf(path, longestRecord)?.toString('utf8');
  return text === undefined ? undefined : schema.safeParse(jsonOf(text)).data;
}

/** The longest document that a job may have; a longer one is not shown. */
const longestDocument = 128 << 20;

/** The document that the command printed; undefined: none, or not all of it yet. */
export function readDocument(files: JobFiles): Record<string, unknown> | undefined {
  const text = startOf(files.document, longestDocument)?.toString('utf8');
  const value = text === undefined ? undefined : jsonOf(text);
  return isRecord(value) ? value : undefined;
}

/** Bytes of a line of the progress: of most, and of any. */
const usualLine = 16 << 10;
export const longestLine = 1 << 20;

/** The first and the last whole line of the progress. */
export function readProgress(files: JobFiles): {
  readonly first: Record<string, unknown> | undefined;
  readonly last: Record<string, unknown> | undefined;
} {
  const first = startOf(files.progress, usualLine)?.toString('utf8').split('\n', 2);
  const end = lastLines(files, usualLine) ?? lastLines(files, longestLine) ?? [];
  const parsed = (line: string | undefined) => {
    const value = line === undefined ? undefined : jsonOf(line);
    return isRecord(value) ? value : undefined;
  };
  return { first: parsed(first?.length === 2 ? first[0] : undefined), last: parsed(end.at(-1)) };
}

/** Undefined: the bytes hold no whole line, and are not all. */
function lastLines({ progress }: JobFiles, bytes: number): string[] | undefined {
  const end = endOf(progress, bytes);
  const lines = end.toString('utf8').split('\n').slice(0, -1);
  return lines.length < 2 && end.length === bytes ? undefined : lines;
}

/** The first bytes of a file; undefined: it does not exist. */
function startOf(path: BytePath, most: number): Buffer | undefined {
  try {
    return bytesAt(path, 0, most);
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return undefined;
    throw error;
  }
}

/** The last bytes of a file; none where there is no file. */
export function endOf(path: BytePath, most: number): Buffer {
  const size = sizeOf(path);
  return bytesAt(path, Math.max(0, size - most), most, size === 0);
}

/** 0 where there is no file. */
export function sizeOf(path: BytePath): number {
  try {
    const descriptor = openSync(toBuffer(path), openFlags.read);
    try {
      return fstatSync(descriptor).size;
    } finally {
      closeSync(descriptor);
    }
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return 0;
    throw error;
  }
}

/** @param mayLack an absent file has no bytes */
export function bytesAt(path: BytePath, offset: number, most: number, mayLack = false): Buffer {
  let descriptor: number;
  try {
    descriptor = openSync(toBuffer(path), openFlags.read);
  } catch (error) {
    if (mayLack && isSystemError(error, 'ENOENT')) return Buffer.alloc(0);
    throw error;
  }
  try {
    const size = Math.max(0, Math.min(most, fstatSync(descriptor).size - offset));
    if (offset === 0 && size === fstatSync(descriptor).size) return readFileSync(descriptor);
    const bytes = Buffer.alloc(size);
    return bytes.subarray(0, readSync(descriptor, bytes, 0, size, offset));
  } finally {
    closeSync(descriptor);
  }
}
