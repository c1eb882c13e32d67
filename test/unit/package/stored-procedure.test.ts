import { appendFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Update } from '../../../src/manifest/index.js';
import { checkProcedure } from '../../../src/package/procedure.js';
import { plainSettings, readSettings, writeSettings } from '../../../src/package/settings.js';
import { readStored, storeProcedure } from '../../../src/package/stored-procedure.js';
import { temporaryDirectory } from '../platform/temporary.js';

const at = temporaryDirectory();

describe('a stored procedure', () => {
  it('is what was applied, or damaged', async () => {
    const script = at('fix.sh');
    writeFileSync(script, '#!/bin/sh\n', { mode: 0o755 });
    const target = at('procedure');
    const { procedure, stored } = await storeProcedure(await checkProcedure(script), target);
    expect(procedure).toMatchObject({ kind: 'script', defaultName: 'fix' });
    const update = { name: 'fix', procedure: stored } as Update;
    expect(await readStored(target, update)).toEqual(procedure);
    appendFileSync(at('procedure'), 'rm -rf /\n');
    await expect(readStored(target, update)).rejects.toMatchObject({ code: 'PROCEDURE_DAMAGED', exitCode: 5 });
    await expect(readStored(at('gone'), update)).rejects.toMatchObject({ exitCode: 5 });
  });

  it('comes with how it was applied', async () => {
    const file = at('settings.json');
    expect(await readSettings(file)).toEqual(plainSettings);
    const settings = {
      network: true,
      timeoutSeconds: 1.5,
      conflict: 'theirs' as const,
      alwaysRun: true,
      noReplay: true,
      umask: '0022',
      maxBytes: 2 ** 40,
    };
    writeSettings(file, settings);
    expect(await readSettings(file)).toMatchObject(settings);
    writeFileSync(file, '{"version": 1}');
    await expect(readSettings(file)).rejects.toMatchObject({ code: 'SETTINGS_DAMAGED', exitCode: 5 });
  });
});
