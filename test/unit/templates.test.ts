import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { parse } from 'yaml';
import { checkout } from '../support/lamina.js';

const directory = join(checkout, '.github/ISSUE_TEMPLATE');
const templates = readdirSync(directory).filter((file) => file.endsWith('.md'));

it.each(templates)('the issue template %s has a head that forges read', (file) => {
  const head = /^---\n(.*?)\n---\n/s.exec(readFileSync(join(directory, file), 'utf8'))?.[1];
  expect(parse(head ?? '')).toEqual({
    name: expect.any(String) as string,
    about: expect.any(String) as string,
    labels: expect.any(String) as string,
  });
});
