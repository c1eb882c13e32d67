import * as z from 'zod';
import { errorAnswerSchema } from '../documents.js';

/* What several routes ask for. Each refuses parameters that it does not know. */

/** The longest path that the kernel takes, escaped. */
const longestPath = 4096;

export const named = z.strictObject({ name: z.string().min(1).max(255) });
export const byId = z.strictObject({ id: z.string().min(1).max(255) });
export const pathQuery = z.strictObject({ path: z.string().min(1).max(longestPath) });
export const page = {
  offset: z.coerce.number().int().min(0).max(100_000_000).default(0),
  limit: z.coerce.number().int().min(1).max(20_000).default(100),
};

/** Of a parameter that may occur several times. */
export const several = z
  .union([z.string().max(1000), z.array(z.string().max(1000)).max(50)])
  .transform((value) => (typeof value === 'string' ? [value] : value));

/** The answers of a route, with those of its errors. */
export function answers(schema: z.ZodType, status: 200 | 202 = 200): Readonly<Record<string, z.ZodType>> {
  return { [status]: schema, '4xx': errorAnswerSchema, '5xx': errorAnswerSchema };
}

/** A part of a list, with its place and the length of the whole. */
export function part<T>(all: readonly T[], { offset, limit }: { readonly offset: number; readonly limit: number }) {
  return { items: all.slice(offset, offset + limit), offset, total: all.length };
}
