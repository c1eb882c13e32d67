import { readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { checkout } from '../support/lamina.js';
import list from '../support/without-root.json' with { type: 'json' };

describe('test/support/without-root.json', () => {
  it('says of each file of test/e2e once whether an ordinary user runs it', () => {
    const files = readdirSync(join(checkout, 'test/e2e')).filter((name) => name.endsWith('.test.ts'));
    const listed = [...list.run, ...Object.values(list.needRoot).flat()];
    expect(listed.sort()).toEqual(files.map((name) => basename(name, '.test.ts')).sort());
  });

  it('names single tests only in files that an ordinary user runs', () => {
    expect(Object.keys(list.tests).filter((name) => !list.run.includes(name))).toEqual([]);
  });
});
