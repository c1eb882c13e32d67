import { mkdirSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { toBuffer } from '../../../src/base/bytes.js';
import { limits } from '../../../src/base/limits.js';
import { digestOf } from '../../../src/image/descriptions.js';
import { resolveImage } from '../../../src/image/resolve.js';
import { StorePaths, readImageConfig } from '../../../src/store/index.js';
import { temporaryDirectory } from '../platform/temporary.js';

const at = temporaryDirectory();

describe('the limits of images', () => {
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
