import { symlinkSync, writeFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { toBuffer } from '../../../src/base/bytes.js';
import { readInodes } from '../../../src/platform/inodes.js';
import { temporaryDirectory } from './temporary.js';

const at = temporaryDirectory();

it('readInodes counts the files that are there, in any number', async () => {
  const paths = Array.from({ length: 700 }, (_, i) => at(`file-${i}`));
  for (const path of paths) writeFileSync(toBuffer(path), '');
  symlinkSync('nowhere', toBuffer(at('link')));
  expect(await readInodes([])).toBe(0);
  expect(await readInodes([...paths, at('missing'), at('link'), at('file-0/below')])).toBe(701);
});
