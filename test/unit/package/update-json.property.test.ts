import { mkdirSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromText, join, toBuffer } from '../../../src/base/bytes.js';
import { checkProcedure, readFields } from '../../../src/package/procedure.js';
import { parsePackage } from '../../../src/package/update-json.js';
import type { PackageFields } from '../../../src/package/update-json.js';
import { globFault } from '../../../src/platform/globs.js';
import { cases, changed, changedValue, outcomeOf, repetitive, valueOf } from '../../support/untrusted.js';
import { temporaryDirectory } from '../platform/temporary.js';

const at = temporaryDirectory();
const directory = at('package');
const description = join(directory, fromText('update.json'));
mkdirSync(toBuffer(join(directory, fromText('bin'))), { recursive: true });
writeFileSync(toBuffer(join(directory, fromText('bin/run.sh'))), '#!/bin/sh\n', { mode: 0o755 });

const documents: readonly object[] = [
  { version: 1, procedure: 'bin/run.sh' },
  { version: 1, procedure: { layer: 'bin/run.sh' }, name: 'layer', to: '2' },
  { version: 1, procedure: { image: 'oci:layout:v2', digest: `sha256:${'0'.repeat(64)}` } },
  {
    version: 1,
    name: 'whole',
    description: 'what it is for',
    base: 'debian',
    from: '>=12.1 <12.4 || 12.9',
    to: '12.9-1~deb12u2',
    procedure: 'bin/run.sh',
    network: true,
    timeoutSeconds: 0.5,
    environment: { DEBIAN_FRONTEND: '', LANG: 'C' },
    ephemeral: ['/var/cache/**', '/{tmp,run}/[a-z]*'],
    protect: ['/etc/machine-id'],
    health: { command: 'true', timeoutSeconds: 5 },
  },
];
const document = fc.constantFrom(...documents);
const tokens = [
  '"',
  '\\',
  '{',
  '}',
  '[',
  ']',
  ',',
  ':',
  '\\u0000',
  '\\ud800',
  '../',
  '\\n/../',
  '/**',
  '{a,b}',
  '>=',
  '||',
  '1e999',
  'null',
  '\xff',
  '"__proto__": {},',
  '"version": 1,',
];

/** What the rest of the program takes for granted of a package that was accepted. */
function check(fields: PackageFields): void {
  const { procedure } = fields;
  const file = typeof procedure === 'string' ? procedure : 'layer' in procedure ? procedure.layer : 'an image';
  if (typeof procedure === 'object' && 'image' in procedure) expect(procedure.image).toMatch(/^[a-z-]+:[^\p{Cc}]+$/u);
  expect(file.startsWith('/') || file.split('/').includes('..') || file.includes('\0')).toBe(false);
  const { ephemeral = [], protect = [], environment = {}, health } = fields;
  expect(globFault([...ephemeral, ...protect])).toBeUndefined();
  const texts = [file, fields.name ?? '', fields.base ?? '', fields.description ?? '', health?.command ?? ''];
  for (const text of [...texts, ...ephemeral, ...protect, ...Object.entries(environment).flat()])
    expect(() => fromText(text)).not.toThrow();
  for (const text of [...ephemeral, ...protect, health?.command ?? '', ...Object.entries(environment).flat()])
    expect(text).not.toContain('\0');
  for (const name of [fields.name, fields.base]) expect(name ?? 'x').toMatch(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/);
}

describe('an update.json', () => {
  it('of any values is fields within their bounds, or faults', async () => {
    const values = document.chain(changedValue);
    await fc.assert(
      fc.asyncProperty(values, async (value) => {
        const outcome = await outcomeOf(() => parsePackage(value));
        if (!('value' in outcome)) throw outcome.error;
        if ('fields' in outcome.value) check(outcome.value.fields);
        else expect(outcome.value.faults.length).toBeGreaterThan(0);
      }),
      cases(1500),
    );
  });

  it('of any bytes is a package, or refused by name', async () => {
    const bytes = fc.tuple(document, changed(tokens)).map(([value, edit]) => edit(Buffer.from(JSON.stringify(value))));
    await fc.assert(
      fc.asyncProperty(
        fc.oneof({ arbitrary: bytes, weight: 9 }, { arbitrary: fc.uint8Array(), weight: 1 }),
        async (content) => {
          writeFileSync(toBuffer(description), content);
          const fields = valueOf(await outcomeOf(() => readFields(directory, directory)), 'update.json');
          if (fields !== undefined) check(fields);
          valueOf(await outcomeOf(() => checkProcedure(directory)), 'package');
        },
      ),
      cases(800),
    );
  });

  it('takes time and memory in proportion to its length', async () => {
    const parts = [
      'a/',
      '../',
      '\n',
      '/',
      '>=1',
      '>',
      ' ',
      ',',
      '||',
      '~',
      '{a,b}',
      '{',
      '}',
      '[',
      '[a-',
      ']',
      '*',
      '**/',
      '?',
      '\\\\',
      '12.4',
      ':',
    ];
    const fields = fc.constantFrom<(text: string) => object>(
      (procedure) => ({ procedure }),
      (from) => ({ from }),
      (to) => ({ to }),
      (text) => ({ environment: { [text]: text } }),
      (text) => ({ health: { command: text } }),
      (text) => ({
        ephemeral: (`/${text}`.match(/[^]{1,4096}/g) ?? []).map((glob) => `/${glob.slice(1)}`).slice(0, 200),
      }),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(4096, 500_000),
        fields,
        fc.infiniteStream(repetitive(parts, 1)),
        async (size, field, texts) => {
          const [text = ''] = texts;
          const long = text.repeat(Math.ceil(size / Math.max(text.length, 1)));
          const before = process.memoryUsage().rss;
          await outcomeOf(() => parsePackage({ version: 1, procedure: 'x', ...field(long) }));
          expect(process.memoryUsage().rss - before).toBeLessThan(512 << 20);
        },
      ),
      cases(25, 'large'),
    );
  });
});
