import { basename } from 'node:path';
import { beforeEach } from 'vitest';
import { isRoot } from './lamina.js';
import list from './without-root.json' with { type: 'json' };

/*
 * What an ordinary user cannot try, and why, is in without-root.json alone: the files whose tests all need root, and
 * single tests and groups of the others, which are skipped here with their reason. `scripts/test-summary.mjs` fails
 * where anything else was skipped, or an entry names no test.
 */
if (!isRoot)
  beforeEach(({ task, skip }) => {
    const name = basename(task.file.name, '.test.ts');
    const entries = Object.entries((list.tests as Record<string, Record<string, string>>)[name] ?? {});
    const entry = entries.find(([test]) => task.fullTestName === test || task.fullTestName.startsWith(`${test} > `));
    if (entry !== undefined) skip(`without root: ${entry[1]}`);
  });
