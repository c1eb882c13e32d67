import { truncateSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { toBuffer } from '../../../src/base/bytes.js';
import { limitNamed, limits } from '../../../src/base/limits.js';
import { readLines } from '../../../src/journal/read-set.js';
import { temporaryDirectory } from '../platform/temporary.js';

const at = temporaryDirectory();

describe('a read set', () => {
  it('beyond the limit is refused by its name', async () => {
    const file = at('reads.ndjson');
    writeFileSync(toBuffer(file), '{"version":1}\n');
    expect(await readLines(file)).toEqual([]);
    truncateSync(toBuffer(file), limits.readSet.value + 1);
    await expect(readLines(file)).rejects.toMatchObject({
      code: 'OVER_LIMIT',
      message: expect.stringContaining(limitNamed(limits.readSet)) as string,
      hint: expect.stringContaining('--always-run') as string,
    });
  });
});
