import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { afterAll } from 'vitest';
import { fromText, join } from '../../../src/base/bytes.js';
import type { BytePath } from '../../../src/base/bytes.js';
import { removeTree } from '../../../src/platform/walk.js';

/** A directory for the tests of this file, removed when they are done. */
export function temporaryDirectory(): (...parts: string[]) => BytePath {
  const root = fromText(mkdtempSync(`${tmpdir()}/lamina-platform-`));
  afterAll(() => {
    removeTree(root);
  });
  return (...parts) => join(root, ...parts.map((part) => fromText(part)));
}
