import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { join, toBuffer } from '../../../src/base/bytes.js';
import { limitNamed, limits } from '../../../src/base/limits.js';
import { checkProcedure } from '../../../src/package/procedure.js';
import { temporaryDirectory } from '../platform/temporary.js';

const at = temporaryDirectory();

describe('a package', () => {
  it('whose update.json is beyond the limit is refused by its name', async () => {
    const place = at('package');
    mkdirSync(toBuffer(place));
    writeFileSync(toBuffer(join(place, 'run.sh')), '#!/bin/sh\n');
    chmodSync(toBuffer(join(place, 'run.sh')), 0o755);
    const description = (bytes: number) => {
      writeFileSync(toBuffer(join(place, 'update.json')), '{"version": 1, "procedure": "run.sh"}'.padEnd(bytes));
    };
    description(limits.packageDescription.value);
    await checkProcedure(place);
    description(limits.packageDescription.value + 1);
    await expect(checkProcedure(place)).rejects.toMatchObject({
      code: 'BAD_PACKAGE',
      message: expect.stringContaining(limitNamed(limits.packageDescription)) as string,
    });
  });
});
