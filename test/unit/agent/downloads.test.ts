import { mkdtempSync, readdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { dropDownloads } from '../../../src/agent/downloads.js';
import { fromText } from '../../../src/base/bytes.js';
import { stateOf, updateNumber } from '../../support/fleet.js';

it('what was received of withdrawn updates is dropped, and nothing that is still needed', async () => {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), 'lamina-downloads-')));
  onTestFinished(() => {
    rmSync(directory, { recursive: true });
  });
  const updates = [updateNumber(1), updateNumber(2, { withdrawn: true }), updateNumber(3)];
  const [one, two, three] = updates.map((each) => each.package.sha256);
  for (const name of [`${one}.tar.part`, `${two}.tar.part`, `${two}.tar`, `${three}.tar`, 'strange'])
    writeFileSync(join(directory, name), 'x');
  const paths = { downloads: fromText(directory) } as Parameters<typeof dropDownloads>[0];
  await dropDownloads(paths, stateOf(...updates));
  expect(readdirSync(directory).sort()).toEqual([`${one}.tar.part`, `${three}.tar`].sort());
  await dropDownloads({ ...paths, downloads: fromText(join(directory, 'missing')) }, stateOf());
});
