import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { display, join, toBuffer } from '../../../../src/base/bytes.js';
import { importDirectory } from '../../../../src/store/index.js';
import { temporaryDirectory } from '../../platform/temporary.js';

const at = temporaryDirectory();

describe('a directory that holds the place it is copied to', () => {
  it('is refused by its name before anything is written, whatever the path that leads there', async () => {
    const source = at('source');
    mkdirSync(toBuffer(join(source, 'store/nodes')), { recursive: true });
    writeFileSync(toBuffer(join(source, 'file')), 'x');
    symlinkSync(source, at('link'));
    for (const place of [join(source, 'store/nodes/tree'), join(source, 'tree'), at('link/store/nodes/tree')])
      await expect(importDirectory(source, place, {})).rejects.toMatchObject({
        code: 'STORE_INSIDE',
        exitCode: 4,
        message: expect.stringContaining(display(source)) as string,
      });
    expect(readdirSync(join(source, 'store/nodes'))).toEqual([]);
  });

  it('is not one beside it, or below it', async () => {
    mkdirSync(toBuffer(join(at('beside'), 'inner')), { recursive: true });
    mkdirSync(at('place'));
    await importDirectory(join(at('beside'), 'inner'), join(at('beside'), 'tree'), {});
    await importDirectory(at('beside'), join(at('place'), 'tree'), {});
    expect(readdirSync(join(at('place'), 'tree')).sort()).toEqual(['inner', 'tree']);
  });
});
