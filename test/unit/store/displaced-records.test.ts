import { mkdirSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { toBuffer } from '../../../src/base/bytes.js';
import { emptyManifest } from '../../../src/manifest/index.js';
import { unpublishedDisplaced } from '../../../src/store/displaced-records.js';
import { unpublishedPasts } from '../../../src/store/history.js';
import { StorePaths } from '../../../src/store/paths.js';
import { temporaryDirectory } from '../platform/temporary.js';

const at = temporaryDirectory();

describe('what rollbacks keep', () => {
  it.each([
    ['of a generation that is to come', '8\n', true],
    ['of the present generation', '7\n', false],
    ['of a generation that a broken disk has made something else', 'w\n', false],
    ['of a generation that is gone but for its file', '', false],
  ])('%s: cleared away: %j, %s', (name, generation, isCleared) => {
    const paths = new StorePaths(at(name));
    const [displaced, past] = [paths.displaced('a-0123456789abcdef'), paths.past('u-0123456789abcdef')];
    for (const [directory, file] of [
      [displaced.directory, displaced.description],
      [past.directory, past.record],
    ] as const) {
      mkdirSync(toBuffer(directory), { recursive: true });
      writeFileSync(toBuffer(file), '{}');
    }
    for (const file of [displaced.generation, past.generation]) writeFileSync(toBuffer(file), generation);
    const manifest = { ...emptyManifest(), generation: 7 };
    expect(unpublishedDisplaced(paths, manifest)).toHaveLength(isCleared ? 1 : 0);
    expect(unpublishedPasts(paths, manifest)).toHaveLength(isCleared ? 1 : 0);
  });
});
