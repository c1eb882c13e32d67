import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type * as z from 'zod';
import { display, toBuffer } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { damaged, isSystemError } from '../base/errors.js';

/** A kind of JSON file in the store, and what to say where one is damaged. */
export interface RecordFormat<T> {
  readonly schema: z.ZodType<T>;
  /** What is wrong with a damaged file, after its name: "does not say when the procedure ran". */
  readonly fault: string;
  readonly code: string;
  readonly hint: string;
}

/** @throws LaminaError damaged: the text is not of the format */
export function parseJsonRecord<T>(text: string, file: BytePath, format: RecordFormat<T>): T {
  try {
    return format.schema.parse(JSON.parse(text));
  } catch (error) {
    throw recordDamaged(file, format, error);
  }
}

/** Undefined where there is no such file. @throws LaminaError damaged: it cannot be read, or is not of the format */
export async function readJsonRecord<T>(file: BytePath, format: RecordFormat<T>): Promise<T | undefined> {
  let text: string;
  try {
    text = await readFile(toBuffer(file), 'utf8');
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return undefined;
    throw recordDamaged(file, format, error);
  }
  return parseJsonRecord(text, file, format);
}

/** As `readJsonRecord`. */
export function readJsonRecordSync<T>(file: BytePath, format: RecordFormat<T>): T | undefined {
  try {
    return requireJsonRecordSync(file, format);
  } catch (error) {
    if (error instanceof Error && isSystemError(error.cause, 'ENOENT')) return undefined;
    throw error;
  }
}

/** @throws LaminaError damaged: it cannot be read, is missing, or is not of the format */
export function requireJsonRecordSync<T>(file: BytePath, format: RecordFormat<T>): T {
  let text: string;
  try {
    text = readFileSync(toBuffer(file), 'utf8');
  } catch (error) {
    throw recordDamaged(file, format, error);
  }
  return parseJsonRecord(text, file, format);
}

function recordDamaged(file: BytePath, { fault, code, hint }: Omit<RecordFormat<unknown>, 'schema'>, cause: unknown) {
  return damaged(`${display(file)} ${fault}`, { code, hint, cause });
}
