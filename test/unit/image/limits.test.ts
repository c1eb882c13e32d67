import { mkdirSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { toBuffer } from '../../../src/base/bytes.js';
import { limits } from '../../../src/base/limits.js';
import {
  checkDescriptionSize,
  digestOf,
  parseConfig,
  parseIndex,
  parseManifest,
} from '../../../src/image/descriptions.js';
import { resolveImage } from '../../../src/image/resolve.js';
import { StorePaths, readImageConfig } from '../../../src/store/index.js';
import { temporaryDirectory } from '../platform/temporary.js';

const at = temporaryDirectory();

describe('the limits of images', () => {
  it.each([parseConfig, parseManifest, parseIndex])('are held by what describes one, in its depth: %o', (parse) => {
    const nested = (levels: number) => Buffer.from(`{"a":${'['.repeat(levels - 1)}"[[\\"[["${']'.repeat(levels - 1)}}`);
    const { value } = limits.nesting;
    expect(() => parse(nested(value), 'the image')).toThrow(/is not a valid image/);
    expect(() => parse(nested(value + 1), 'the image')).toThrow(
      /the image is nested 61 levels deep; the limit 'nesting' is 60 levels/,
    );
    expect(() => parse(nested(1_000_000), 'the image')).toThrow(/nested 1000000 levels deep/);
  });

  it('are held by the size of what describes one', () => {
    const { value } = limits.imageDescription;
    expect(() => checkDescriptionSize(value, 'the image')).not.toThrow();
    expect(() => checkDescriptionSize(value + 1, 'the image')).toThrow(/the limit 'image description' is 4 MiB/);
  });

  it('take no names of platforms that a terminal would obey', () => {
    const config = { os: 'linux\x1b[31m', architecture: 'amd64', rootfs: { type: 'layers', diff_ids: [] } };
    expect(() => parseConfig(Buffer.from(JSON.stringify(config)), 'the image')).toThrow(
      /os: not the name of a platform/,
    );
  });

  it('are held by the configuration that the store keeps', () => {
    const paths = new StorePaths(at('store'));
    const digest = `sha256:${'0'.repeat(64)}`;
    const { directory, config } = paths.image(digest);
    mkdirSync(toBuffer(directory), { recursive: true });
    writeFileSync(toBuffer(config), Buffer.alloc(limits.imageDescription.value + 1, 0x20));
    expect(() => readImageConfig(paths, digest)).toThrow(/it is too large/);
    writeFileSync(toBuffer(config), Buffer.alloc(limits.imageDescription.value, 0x20));
    expect(() => readImageConfig(paths, digest)).toThrow(/was changed/);
  });
});

describe('the layers of an image', () => {
  const descriptor = (mediaType: string, bytes: Buffer) => ({ mediaType, digest: digestOf(bytes), size: bytes.length });
  const imageOf = (count: number) => {
    const diffIds = Array.from({ length: count }, (_, i) => digestOf(Buffer.from(String(i))));
    const config = Buffer.from(
      JSON.stringify({ os: 'linux', architecture: 'amd64', rootfs: { type: 'layers', diff_ids: diffIds } }),
    );
    const layers = diffIds.map((digest) => ({ mediaType: 'application/vnd.oci.image.layer.v1.tar', digest, size: 1 }));
    const manifest = { config: descriptor('application/vnd.oci.image.config.v1+json', config), layers };
    return resolveImage(() => config, { manifest, manifestDigest: null }, undefined, 'the image');
  };

  it('are limited in number', async () => {
    expect((await imageOf(limits.imageLayers.value)).layers).toHaveLength(limits.imageLayers.value);
    await expect(imageOf(limits.imageLayers.value + 1)).rejects.toMatchObject({ code: 'OVER_LIMIT' });
    await expect(imageOf(0)).rejects.toMatchObject({ code: 'INVALID_IMAGE' });
  });
});
