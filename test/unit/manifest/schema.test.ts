import { describe, expect, it } from 'vitest';
import { LaminaError } from '../../../src/base/errors.js';
import { emptyManifest, parseManifest, serialiseManifest, validateName } from '../../../src/manifest/index.js';
import type { Manifest } from '../../../src/manifest/index.js';
import { updated, withBase, withContainer } from './support.js';

function thrown(run: () => unknown): LaminaError {
  try {
    run();
  } catch (error) {
    if (error instanceof LaminaError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

function sample(): Manifest {
  return updated(withContainer(withContainer(withBase(), 'web'), 'db'), 'openssl', { web: 'S+Δ', db: '0' }).manifest;
}

describe('the manifest as text', () => {
  it('is read as it was written, and written the same whatever the order of keys', () => {
    const manifest = sample();
    const text = serialiseManifest(manifest);
    expect(parseManifest(text)).toEqual(manifest);
    const { nodes } = manifest;
    const turned = { ...manifest, nodes: Object.fromEntries(Object.entries(nodes).reverse()) };
    expect(Object.keys(turned.nodes)).not.toEqual(Object.keys(nodes));
    expect(serialiseManifest(turned)).toBe(text);
    expect(text).toMatch(/^\{\n {2}"format": "lamina-store",\n {2}"version": 6,\n/);
    expect(text.endsWith('}\n')).toBe(true);
  });

  it('is empty at first', () => {
    expect(parseManifest(serialiseManifest(emptyManifest()))).toEqual(emptyManifest());
  });

  it.each([
    ['truncated', (text: string) => text.slice(0, -40), 'MANIFEST_DAMAGED', /not valid JSON/],
    ['empty', () => '', 'MANIFEST_DAMAGED', /not valid JSON/],
    ['no object', () => 'null', 'MANIFEST_DAMAGED', /not the manifest of a Lamina store/],
    [
      'of something else',
      (text: string) => text.replace('lamina-store', 'other'),
      'MANIFEST_DAMAGED',
      /not the manifest/,
    ],
    [
      'of the future',
      (text: string) => text.replace('"version": 6', '"version": 7'),
      'MANIFEST_VERSION',
      /version 7; .* up to 6/,
    ],
    [
      'of no version',
      (text: string) => text.replace('"version": 6', '"version": "x"'),
      'MANIFEST_VERSION',
      /an unknown version/,
    ],
    [
      'with an unknown field',
      (text: string) => text.replace('"generation"', '"extra": 1, "generation"'),
      'MANIFEST_DAMAGED',
      /extra/,
    ],
    ['with a field missing', (text: string) => text.replace('"sealed":true,', ''), 'MANIFEST_DAMAGED', /sealed/],
    [
      'with a bad id',
      (text: string) => text.replace('"root":"b-', '"root":"x-'),
      'MANIFEST_DAMAGED',
      /bases\.debian\.root/,
    ],
    ['with a bad name', (text: string) => text.replace(/"web": \{/, '"../web": {'), 'MANIFEST_DAMAGED', /containers/],
    ['with a wrong type', (text: string) => text.replace(/"bytes":\d+/, '"bytes":-1'), 'MANIFEST_DAMAGED', /bytes/],
  ])('is refused where it is %s', (_, damage, code, message) => {
    const text = serialiseManifest(sample());
    const error = thrown(() => parseManifest(damage(text), '/store/manifest.json'));
    expect(damage(text)).not.toBe(text);
    expect(error.exitCode).toBe(5);
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
    expect(error.message).toContain('/store/manifest.json');
    expect(error.hint).toBeTruthy();
  });
});

describe('a name', () => {
  it.each(['a', 'web-1', '0', 'A.b_c-d', 'x'.repeat(64)])('may be %s', (name) => {
    expect(validateName('container', name)).toBe(name);
  });

  it.each([
    ['', /empty/],
    ['.', /begin/],
    ['..', /begin/],
    ['-x', /begin/],
    ['a/b', /not allowed/],
    ['a\0b', /not allowed/],
    ['a\n', /not allowed/],
    ['übung', /begin/],
    ['a\udc80', /not allowed/],
    ['x'.repeat(300), /300 characters/],
  ])('may not be %j', (name, message) => {
    const error = thrown(() => validateName('update', name));
    expect(error.exitCode).toBe(2);
    expect(error.message).toMatch(message);
    expect(error.message).not.toMatch(/[\0\n]/);
    expect(error.message.length).toBeLessThan(200);
  });
});
