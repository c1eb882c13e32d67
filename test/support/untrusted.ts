import fc from 'fast-check';
import { expect } from 'vitest';
import { LaminaError } from '../../src/base/errors.js';

/** For readers of untrusted bytes: inputs that no writer would make, and what every reader promises of them. */

const asked = Number(process.env['LAMINA_PROPERTY_RUNS'] ?? 0);

/** Cases of a property: a sample, or LAMINA_PROPERTY_RUNS where that is more; of large inputs a twentieth of it. */
export function cases(sample: number, inputs: 'small' | 'large' = 'small'): { numRuns: number; endOnFailure: boolean } {
  return { numRuns: Math.max(sample, inputs === 'small' ? asked : Math.ceil(asked / 20)), endOnFailure: true };
}

/** Milliseconds for one case. Generous: only what takes longer than in proportion to its input gets there. */
const longest = 10_000;

export type Outcome<T> = { readonly value: T } | { readonly error: LaminaError };

/**
 * What a reader makes of an input. Fails where it takes too long, or throws anything but a LaminaError that is meant
 * for people.
 */
export async function outcomeOf<T>(read: () => T | Promise<T>): Promise<Outcome<T>> {
  const start = performance.now();
  try {
    return { value: await read() };
  } catch (error) {
    if (!(error instanceof LaminaError) || error.code === 'INTERNAL') throw error;
    return { error };
  } finally {
    expect(performance.now() - start).toBeLessThan(longest);
  }
}

/** Fails unless the error names what it is about. */
export function valueOf<T>(outcome: Outcome<T>, named: string): T | undefined {
  if ('value' in outcome) return outcome.value;
  expect(outcome.error.message).toContain(named);
  expect(outcome.error.hint).toBeTruthy();
  return undefined;
}

const edges = [0, 1, 0x20, 0x2f, 0x30, 0x7f, 0x80, 0xff];
const numbers = [
  0n,
  1n,
  0xffn,
  0xffffn,
  0x7fff_ffffn,
  0x8000_0000n,
  0xffff_ffffn,
  1n << 53n,
  (1n << 63n) - 1n,
  (1n << 64n) - 1n,
];

type Edit = (bytes: Buffer) => Buffer;

const place = fc.nat({ max: 2 ** 30 });
const within = (bytes: Buffer, at: number) => (bytes.length === 0 ? 0 : at % bytes.length);

function overwritten(bytes: Buffer, at: number, by: Buffer): Buffer {
  const changed = Buffer.from(bytes);
  by.copy(changed, within(bytes, at));
  return changed;
}

function numberOf(value: bigint, size: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(value);
  return bytes.subarray(0, size);
}

/** Edits that leave all bytes in their places. @param tokens what a reader of this format looks for (latin1) */
function overwriting(tokens: readonly string[]): fc.Arbitrary<Edit> {
  const by = fc.oneof(
    fc.constantFrom(...edges).map((byte) => Buffer.of(byte)),
    fc.uint8Array({ minLength: 1, maxLength: 4 }).map((bytes) => Buffer.from(bytes)),
    fc.tuple(fc.constantFrom(...numbers), fc.constantFrom(2, 4, 8)).map(([value, size]) => numberOf(value, size)),
    fc.constantFrom(...tokens).map((token) => Buffer.from(token, 'latin1')),
  );
  return fc.tuple(place, by).map(
    ([at, bytes]) =>
      (seed) =>
        overwritten(seed, at, bytes),
  );
}

/** Edits that move what is behind them. */
function moving(tokens: readonly string[]): fc.Arbitrary<Edit> {
  const inserted = fc.tuple(place, fc.constantFrom(...tokens)).map(([at, token]): Edit => (seed) => {
    const from = within(seed, at);
    return Buffer.concat([seed.subarray(0, from), Buffer.from(token, 'latin1'), seed.subarray(from)]);
  });
  const ranges = fc.tuple(place, place);
  const removed = ranges.map(([at, length]): Edit => (seed) => {
    const from = within(seed, at);
    return Buffer.concat([seed.subarray(0, from), seed.subarray(from + (length % 64))]);
  });
  const repeated = ranges.map(([at, length]): Edit => (seed) => {
    const from = within(seed, at);
    const end = from + (length % 64);
    return Buffer.concat([seed.subarray(0, end), seed.subarray(from)]);
  });
  const cut = place.map(
    (at): Edit =>
      (seed) =>
        seed.subarray(0, within(seed, at)),
  );
  return fc.oneof({ arbitrary: inserted, weight: 3 }, removed, repeated, cut);
}

const applied = (edits: readonly Edit[]) => (seed: Buffer) => edits.reduce((bytes, edit) => edit(bytes), seed);

/** Valid bytes with a few places changed. */
export function changedInPlace(tokens: readonly string[]): fc.Arbitrary<Edit> {
  return fc.array(overwriting(tokens), { minLength: 1, maxLength: 6 }).map(applied);
}

/** Valid bytes with a few places changed, left out, doubled or cut off. */
export function changed(tokens: readonly string[]): fc.Arbitrary<Edit> {
  return fc.array(fc.oneof(overwriting(tokens), moving(tokens)), { minLength: 1, maxLength: 6 }).map(applied);
}

/** A text of a size that repeats a few tokens: what makes a search start again and again. */
export function repetitive(tokens: readonly string[], size: number): fc.Arbitrary<string> {
  const some = (least: number) => fc.array(fc.constantFrom(...tokens), { minLength: least, maxLength: 4 });
  return fc.tuple(some(0), some(1), some(0)).map(([head, body, tail]) => {
    const again = body.join('');
    return head.join('') + again.repeat(Math.ceil(size / Math.max(again.length, 1))) + tail.join('');
  });
}

/** Values that a JSON document may have where another was meant. */
const oddValues: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom<unknown>(
    null,
    true,
    0,
    -1,
    1.5,
    1e308,
    2 ** 53,
    '',
    '\0',
    '..',
    '/',
    '\ud800',
    '\udcff',
    'x'.repeat(5000),
    [],
    {},
    [[]],
  ),
  fc.jsonValue({ maxDepth: 2 }),
);
const oddKeys = fc.constantFrom('__proto__', 'constructor', 'toString', '', 'version', '\0', 'a b', '..');

/** A JSON value with one part of it replaced, taken away or given a key that it must not have. */
export function changedValue(seed: unknown): fc.Arbitrary<unknown> {
  return fc
    .tuple(
      fc.array(place, { minLength: 1, maxLength: 5 }),
      fc.constantFrom('replace', 'remove', 'add'),
      oddKeys,
      oddValues,
    )
    .map(([steps, how, key, value]) => changedAt(structuredClone(seed), steps, how, key, value));
}

function changedAt(value: unknown, steps: readonly number[], how: string, key: string, odd: unknown): unknown {
  const [step = 0, ...others] = steps;
  if (typeof value !== 'object' || value === null) return odd;
  const keys = Object.keys(value);
  if (how === 'add' && others.length === 0)
    return { ...value, ...(JSON.parse(`{${JSON.stringify(key)}: ${JSON.stringify(odd)}}`) as object) };
  const at = keys[step % Math.max(keys.length, 1)];
  if (at === undefined) return odd;
  const record = value as Record<string, unknown>;
  if (others.length > 0) record[at] = changedAt(record[at], others, how, key, odd);
  else if (how === 'remove') Reflect.deleteProperty(record, at);
  else record[at] = odd;
  return value;
}
