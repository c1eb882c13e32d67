#!/usr/bin/env node
// Writes docs/json.schema.json, the schema of all that --json prints, from src/app/json. A test checks that it is up to date.
import { writeFileSync } from 'node:fs';
import { build } from 'esbuild';

const { outputFiles } = await build({
  entryPoints: ['src/app/json/schema.ts'],
  bundle: true,
  format: 'esm',
  platform: 'node',
  write: false,
  logLevel: 'warning',
});
const [bundle] = outputFiles;
const { publishedSchema } = await import(
  `data:text/javascript;base64,${Buffer.from(bundle.contents).toString('base64')}`
);
writeFileSync('docs/json.schema.json', `${JSON.stringify(publishedSchema(), null, 2)}\n`);
