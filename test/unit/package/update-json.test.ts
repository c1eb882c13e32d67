import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { limitNamed, limits } from '../../../src/base/limits.js';
import { packageJsonSchema, parsePackage } from '../../../src/package/update-json.js';
import { checkout } from '../../support/lamina.js';

const whole = {
  $schema: 'https://example.org/update.schema.json',
  version: 1,
  name: 'openssl-fix',
  description: 'what it is for',
  base: 'debian',
  from: '>=12.1 <12.4 || 12.9',
  to: '12.9-1~deb12u2',
  procedure: 'bin/run.sh',
  network: true,
  timeoutSeconds: 0.5,
  environment: { DEBIAN_FRONTEND: '' },
  ephemeral: ['/var/cache/**'],
  protect: ['/etc/machine-id'],
};

describe('update.json', () => {
  it('may say all this', () => {
    expect(parsePackage(whole)).toEqual({ fields: whole });
    expect(parsePackage({ version: 1, procedure: 'a..b' })).toEqual({ fields: { version: 1, procedure: 'a..b' } });
    expect(parsePackage({ version: 1, procedure: { layer: 'x.tar' } })).toMatchObject({
      fields: { procedure: { layer: 'x.tar' } },
    });
  });

  it.each<[RegExp, object]>([
    [/^version/, { version: 2 }],
    [/^version/, { version: '1' }],
    [/nmae/, { nmae: 'x' }],
    [/^name/, { name: 'a b' }],
    [/^name/, { name: 'a\0' }],
    [/^base/, { base: '..' }],
    [/^from.*range/, { from: '^12' }],
    [/^from/, { from: 12 }],
    [/^to/, { to: '12 4' }],
    [/^procedure/, { procedure: '/bin/sh' }],
    [/^procedure/, { procedure: '../run.sh' }],
    [/^procedure/, { procedure: 'a/../../run.sh' }],
    [/^procedure/, { procedure: 'a/..' }],
    [/^procedure/, { procedure: 'a\n/../../run.sh' }],
    [/^procedure/, { procedure: '' }],
    [/^procedure/, { procedure: { layer: '/x.tar' } }],
    [/^procedure/, { procedure: { layer: 'x.tar', script: 'y' } }],
    [/^procedure/, { procedure: undefined }],
    [/^timeoutSeconds/, { timeoutSeconds: 0 }],
    [/^timeoutSeconds/, { timeoutSeconds: '1' }],
    [/^timeoutSeconds.*layer/, { timeoutSeconds: 1, procedure: { layer: 'x' } }],
    [/^ephemeral.*layer/, { ephemeral: ['/a'], procedure: { layer: 'x' } }],
    [/^environment/, { environment: { 'A=B': 'c' } }],
    [/^environment/, { environment: { A: 'c\0' } }],
    [/^ephemeral/, { ephemeral: ['var/**'] }],
    [/^protect/, { protect: '/etc' }],
    [/^protect.*surrogate/, { protect: ['/\ud800'] }],
    [/^procedure/, { procedure: '\ud800' }],
    [/^description.*surrogate/, { description: '\udfff' }],
  ])('is refused: %s %j', (says, change) => {
    const parsed = parsePackage({ ...whole, ...change });
    expect('faults' in parsed ? parsed.faults.join('\n') : parsed).toMatch(new RegExp(says.source, 'm'));
  });

  it.each([
    [limits.packageGlobs, Array.from({ length: limits.packageGlobs.value + 1 }, (_, i) => `/${i}`)],
    [limits.globLength, [`/${'a'.repeat(limits.globLength.value)}`]],
  ])('is refused beyond the limit $name', (limit, ephemeral) => {
    const parsed = parsePackage({ ...whole, ephemeral });
    expect('faults' in parsed ? parsed.faults.join('\n') : parsed).toContain(limitNamed(limit));
    expect(
      parsePackage({ ...whole, ephemeral: ephemeral.map((glob) => glob.slice(0, -1) || '/').slice(1) }),
    ).toHaveProperty('fields');
  });

  it('has its schema published: write it anew with npx vitest run -u, if this fails', async () => {
    const file = join(checkout, 'docs/update.schema.json');
    await expect(`${JSON.stringify(packageJsonSchema(), null, 2)}\n`).toMatchFileSnapshot(file);
    expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({
      required: ['version', 'procedure'],
      additionalProperties: false,
    });
  });
});
