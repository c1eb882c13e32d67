import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { containerOfSource } from '../../../src/app/mount-source.js';

describe('a container that mount(8) took for a path', () => {
  let place: string;
  beforeEach(() => {
    place = realpathSync(mkdtempSync(join(tmpdir(), 'lamina-source-')));
    mkdirSync(join(place, 'here'));
    mkdirSync(join(place, 'there'));
    writeFileSync(join(place, 'here/web'), '');
  });
  afterEach(() => {
    rmSync(place, { recursive: true });
  });

  const asked = (source: string) => containerOfSource(source, join(place, 'here'));

  it('is that of the entry of the current directory, a symlink too', () => {
    symlinkSync('../there', join(place, 'here/db'));
    symlinkSync('nowhere', join(place, 'here/lost'));
    expect([asked('web'), asked(join(place, 'here/web')), asked(join(place, 'there'))]).toEqual(['web', 'web', 'db']);
  });

  it('is refused where it could be another', () => {
    symlinkSync('web', join(place, 'here/alias'));
    for (const path of ['here/web', 'there', 'nowhere', ''])
      expect(() => asked(join(place, path))).toThrow(/which is not the name of a container/);
  });
});
