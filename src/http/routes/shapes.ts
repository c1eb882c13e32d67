import * as z from 'zod';
import { isBytesText } from '../../base/bytes.js';
import { errorAnswerSchema } from '../documents.js';

/* What several routes ask for. Each refuses parameters that it does not know. */

/** A text that may be an argument of a command: no argument has a NUL, or a surrogate that stands for no byte. */
const word = (longest: number) =>
  z
    .string()
    .max(longest)
    .refine((text) => !text.includes('\0') && isBytesText(text), 'has a character that no name can have');

/** The longest path that the kernel takes, escaped. */
const longestPath = 4096;

export const name = word(255).min(1);
export const anyPath = word(longestPath).min(1);
/** In a query, where an empty one stands for none. */
export const mayName = word(255);
export const mayPath = word(longestPath);
/** Of a glob, a size and the like. */
const shortText = word(1000);

export const named = z.strictObject({ name });
export const byId = z.strictObject({ id: name });
export const pathQuery = z.strictObject({ path: anyPath });
export const page = {
  offset: z.coerce.number().int().min(0).max(100_000_000).default(0),
  limit: z.coerce.number().int().min(1).max(20_000).default(100),
};

/** Of a parameter that may occur several times. */
export const several = z
  .union([shortText, z.array(shortText).max(50)])
  .transform((value) => (typeof value === 'string' ? [value] : value));

/** The answers of a route, with those of its errors. */
export function answers(schema: z.ZodType, status: 200 | 202 = 200): Readonly<Record<string, z.ZodType>> {
  return { [status]: schema, '4xx': errorAnswerSchema, '5xx': errorAnswerSchema };
}

/** A part of a list, with its place and the length of the whole. */
export function part<T>(all: readonly T[], { offset, limit }: { readonly offset: number; readonly limit: number }) {
  return { items: all.slice(offset, offset + limit), offset, total: all.length };
}
