import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { manifestSchema } from '../../../src/manifest/index.js';
import { conformsTo } from '../../../src/manifest/conforms.js';
import { updated, withBase, withContainer } from './support.js';

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

const { manifest: sample } = updated(withContainer(withContainer(withBase(), 'web'), 'db'), 'openssl', {
  web: 'S+Δ',
  db: '0',
});

const value: fc.Arbitrary<Json> = fc.constantFrom<Json[]>(
  ...[null, true, 0, 7, -1, 1.5, 2 ** 53, '', 'web', '../web', 'x'.repeat(201), 'storage', 'failed', [], [null], {}],
  ...['b-0123456789abcdef', 's-0123456789abcdef', 'u-0123456789abcdef', 'u-0123456789ABCDEF', '0123456789abcdef'],
  ...['2026-01-01T00:00:00.000Z', '2026-02-30T00:00:00.000Z', '2026-01-01T00:00:00Z', '2026-01-01T00:00:00.000Z\n'],
);
const key = fc.constantFrom(
  'kind',
  'merged',
  'extra',
  'web',
  'u-0123456789abcdef',
  's-0123456789abcdef',
  'constructor',
);
const change = fc.record({ place: fc.nat(), how: fc.constantFrom('replace', 'remove', 'add'), key, value });

/** All objects and lists of a document. */
function holders(of: Json): (Json[] | Record<string, Json>)[] {
  return typeof of === 'object' && of !== null ? [of, ...Object.values(of).flatMap(holders)] : [];
}

function changed(changes: readonly (typeof change extends fc.Arbitrary<infer T> ? T : never)[]): Json {
  const document = structuredClone(sample) as unknown as Json;
  for (const { place, how, key: name, value: chosen } of changes) {
    // A later change may alter it.
    const put = structuredClone(chosen);
    const all = holders(document);
    const holder = all[place % all.length] as Record<string, Json>;
    const keys = Object.keys(holder);
    const at = keys[place % Math.max(keys.length, 1)];
    if (how === 'add' || at === undefined) holder[name] = put;
    else if (how === 'replace') holder[at] = put;
    else Reflect.deleteProperty(holder, at);
  }
  return JSON.parse(JSON.stringify(document)) as Json;
}

describe('a value conforms to the schema of manifests', () => {
  const conforms = conformsTo(manifestSchema);

  it('where the schema takes it, and only there', () => {
    expect(conforms(sample)).toBe(true);
    const seen = { taken: 0, refused: 0 };
    const property = fc.property(fc.array(change, { minLength: 1, maxLength: 2 }), (changes) => {
      const document = changed(changes);
      const taken = manifestSchema.safeParse(document);
      seen[taken.success ? 'taken' : 'refused'] += 1;
      expect(conforms(document)).toBe(taken.success);
      if (taken.success) expect(taken.data).toEqual(document);
    });
    fc.assert(property, { numRuns: 2000 });
    expect(Math.min(seen.taken, seen.refused)).toBeGreaterThan(100);
  });
});

describe('a value conforms to a schema', () => {
  it.each([
    ['with a rule of its own', z.string().refine((text) => text.startsWith('a')), ['a', 'b', 1]],
    ['of a number with other bounds', z.number().int().min(3), [2, 3, 3.5]],
    ['of a list of some length', z.array(z.string()).min(1), [[], ['a'], [1]]],
    ['of an object that takes more', z.object({ a: z.boolean() }), [{ a: true, b: 1 }, { b: 1 }, []]],
    ['of a table of known keys', z.record(z.enum(['a']), z.string()), [{ a: '' }, {}, { a: '', b: '' }]],
    ['of an address', z.url(), ['http://a/', 'a']],
  ])('%s', (_, schema: z.ZodType, values: readonly unknown[]) => {
    expect(values.map(conformsTo(schema))).toEqual(values.map((each) => schema.safeParse(each).success));
  });
});
