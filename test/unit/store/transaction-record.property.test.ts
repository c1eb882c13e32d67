import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { display, toBuffer } from '../../../src/base/bytes.js';
import { StorePaths } from '../../../src/store/paths.js';
import { readTransaction } from '../../../src/store/transaction-record.js';
import { cases, changed, changedValue, outcomeOf, valueOf } from '../../support/untrusted.js';
import { temporaryDirectory } from '../platform/temporary.js';

const at = temporaryDirectory();
const paths = new StorePaths(at('store')).transaction('t-0123456789abcdef');
mkdirSync(toBuffer(paths.directory), { recursive: true });

const record = {
  kind: 'manual',
  process: 12,
  command: 'update begin debian mnt',
  created: '2026-01-01T00:00:00.000Z',
  details: { name: 'fix', base: 'debian', boot: 'x' },
};

describe('the record of a transaction', () => {
  it('is read, or damaged: of any bytes', async () => {
    const tokens = ['"', '{', '}', ',', 'null', '"kind":1,', '\\ud800', '\xff'];
    const texts = fc.oneof(
      changed(tokens).map((edit) => edit(Buffer.from(JSON.stringify(record)))),
      changedValue(record).map((value) => Buffer.from(JSON.stringify(value))),
    );
    await fc.assert(
      fc.asyncProperty(texts, async (bytes) => {
        writeFileSync(toBuffer(paths.description), bytes);
        const read = valueOf(await outcomeOf(() => readTransaction(paths)), display(paths.description));
        if (read === undefined) return;
        expect([typeof read.kind, typeof read.created, typeof read.process]).toEqual(['string', 'string', 'number']);
        expect(typeof read.details === 'object' && !Array.isArray(read.details)).toBe(true);
      }),
      cases(500),
    );
    writeFileSync(toBuffer(paths.description), JSON.stringify(record));
    expect(await readTransaction(paths)).toEqual(record);
    rmSync(toBuffer(paths.description));
    expect(await readTransaction(paths)).toBeUndefined();
  });
});
