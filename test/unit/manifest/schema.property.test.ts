import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkGraph, parseManifest, serialiseManifest } from '../../../src/manifest/index.js';
import type { Manifest } from '../../../src/manifest/index.js';
import { checkout } from '../../support/lamina.js';
import { cases, changed, changedValue, outcomeOf, repetitive, valueOf } from '../../support/untrusted.js';
import { updated, withBase, withContainer } from './support.js';

const inUse = updated(withContainer(withContainer(withBase(), 'web'), 'db'), 'openssl', { web: 'S+Δ', db: '0' });
const texts = [
  ...['v1', 'v2', 'v3'].map((version) => readFileSync(join(checkout, 'test/format', version, 'manifest.json'), 'utf8')),
  serialiseManifest(inUse.manifest),
];
const tokens = [
  '"',
  '{',
  '}',
  ',',
  'null',
  '"__proto__": {}, ',
  '\\u0000',
  '1e999',
  '"b-',
  '"s-',
  '-0',
  '\xff',
  '"version": 2,',
];

/** The links of a sound manifest set to others of its own: graphs that its shape allows. */
const relinked = fc.tuple(fc.nat(), fc.nat(), fc.constantFrom(...texts)).map(([from, to, text]) => {
  const ids = [...text.matchAll(/"([bdseu]-[0-9a-f]{16})"/g)];
  const [a, b] = [ids[from % ids.length], ids[to % ids.length]];
  if (a === undefined || b === undefined) return text;
  return `${text.slice(0, a.index)}${b[0]}${text.slice(a.index + a[0].length)}`;
});

/** What follows from a manifest is reported, whatever it says: findings, never an error. */
function check(manifest: Manifest): void {
  for (const { code, subject, message } of checkGraph(manifest))
    expect(code !== '' && subject !== '' && message !== '').toBe(true);
  expect(serialiseManifest(parseManifest(serialiseManifest(manifest)))).toBe(serialiseManifest(manifest));
}

describe('a manifest', () => {
  it('of any values is sound, has findings, or is refused', async () => {
    const values = fc.constantFrom(...texts).chain((text) => changedValue(JSON.parse(text)));
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          values.map((value) => JSON.stringify(value)),
          relinked,
        ),
        async (text) => {
          const manifest = valueOf(await outcomeOf(() => parseManifest(text, 'some.json')), 'some.json');
          if (manifest !== undefined) check(manifest);
        },
      ),
      cases(1500),
    );
  });

  it('of any bytes is sound, has findings, or is refused', async () => {
    const bytes = fc
      .tuple(fc.constantFrom(...texts), changed(tokens))
      .map(([text, edit]) => edit(Buffer.from(text)).toString('utf8'));
    await fc.assert(
      fc.asyncProperty(bytes, async (text) => {
        const manifest = valueOf(await outcomeOf(() => parseManifest(text, 'some.json')), 'some.json');
        if (manifest !== undefined) check(manifest);
      }),
      cases(1500),
    );
  });

  it('is read in time in proportion to its length', async () => {
    const parts = ['{', '[', '"', '\\u0000', '"a":', ' ', '1', ',', '}', ']', '{"a":'];
    await fc.assert(
      fc.asyncProperty(
        repetitive(parts, 2_000_000),
        fc.constantFrom('', '{"format":"lamina-store","version":3,"nodes":'),
        async (text, head) => {
          await outcomeOf(() => parseManifest(head + text, 'some.json'));
        },
      ),
      cases(15, 'large'),
    );
  });
});
